// The entry point that every doctest executable of tests/unit and tests/property links.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
