"""Each rule of check_architecture.py, shown to hold on a small tree and to fail when that tree breaks it."""

import pathlib
import tempfile
import unittest

import check_architecture

OPENING = "// A file of the tree that these tests build, with a main function.\n"


class SmallTree(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        self.write("lib/README.md", "# Rooms\n\n```\ncli/          verbs\nverify/{checker,replay}  voters\n"
                                    "lib/upper     u\nlib/lower     l\nlib/base      b\n```\n")
        self.write("lib/CMakeLists.txt", "axecert_room(base LINKS m)\naxecert_room(lower USES base)\n"
                                         "axecert_room(upper USES lower PRIVATE_LINKS z)\n")
        self.write("verify/CMakeLists.txt", "axecert_room(checker VERIFY)\naxecert_room(replay VERIFY USES lower)\n")
        self.write("lib/base/base.hpp", OPENING)
        self.write("lib/lower/lower.hpp", OPENING + '#include "axecert/base/base.hpp"\n')
        self.write("lib/upper/upper.cpp", OPENING + '#include "axecert/base/base.hpp"\n#include <vector>\n')
        self.write("verify/checker/check.c", "/* The checker of the small tree of\n * these tests here. */\n"
                                             "#include <stdint.h>\n")
        self.write("cli/verb.cpp", OPENING + '#include "axecert/upper/upper.hpp"\n')

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def broken(self, text):
        found = check_architecture.violations(self.root)
        self.assertEqual(len(found), 1, found)
        self.assertIn(text, found[0])

    def test_a_tree_that_keeps_the_rules_has_no_violations(self):
        self.assertEqual(check_architecture.violations(self.root), [])

    def test_an_include_of_a_room_above_is_found(self):
        self.write("lib/lower/lower.hpp", OPENING + '#include "axecert/upper/upper.hpp"\n')
        self.broken("lib/lower/lower.hpp:2: axecert/upper/upper.hpp: upper is not below lower")

    def test_an_include_of_a_room_on_the_same_line_is_found(self):
        self.write("verify/replay/replay.cpp", OPENING + '#include "axecert/checker/check.h"\n')
        self.broken("checker is not below replay")

    def test_an_include_of_a_room_below_that_uses_does_not_name_is_found(self):
        self.write("verify/replay/replay.cpp", OPENING + '#include "axecert/upper/upper.hpp"\n')
        self.broken("replay does not name upper in its USES")

    def test_an_include_of_an_unknown_room_is_found(self):
        self.write("lib/lower/lower.hpp", OPENING + '#  include <axecert/attic/a.hpp>\n')
        self.broken("no such room")

    def test_an_include_that_leaves_the_room_by_a_relative_path_is_found(self):
        self.write("lib/base/base.hpp", OPENING + '#include "../upper/upper.hpp"\n')
        self.broken("leaves the room")

    def test_the_checker_includes_only_the_c_standard_library_and_itself(self):
        for name in ("<unistd.h>", '"axecert/base/base.hpp"', "<vector>"):
            self.write("verify/checker/check.c", "/* The checker of the small tree of these tests here. */\n"
                                                 f"#include {name}\n")
            self.broken("the checker includes only")

    def test_the_program_of_the_checker_may_map_files_and_its_library_may_not(self):
        mapping = "/* The checker of the small tree of these tests here. */\n#include <sys/mman.h>\n"
        self.write("verify/checker/check_main.c", mapping)
        self.assertEqual(check_architecture.violations(self.root), [])
        self.write("verify/checker/check.c", mapping)
        self.broken("verify/checker/check.c:2: sys/mman.h: the checker includes only")

    def test_a_file_without_an_opening_paragraph_is_found(self):
        for text in ("#pragma once\n" + OPENING, "// too short\n", ""):
            self.write("cli/verb.cpp", text)
            self.broken("cli/verb.cpp:1: no opening paragraph")

    def test_a_script_that_is_no_python_is_found(self):
        self.write("tests/peers/some.py", "def one():\n        import sys\n    return sys\n")
        self.broken("tests/peers/some.py:3: unindent")

    def test_a_room_that_the_readme_does_not_list_is_found(self):
        self.write("lib/CMakeLists.txt", "axecert_room(base)\naxecert_room(lower USES base)\n"
                                         "axecert_room(upper USES lower)\naxecert_room(attic)\n")
        self.write("lib/attic/a.cpp", OPENING)
        self.broken("lib/attic: the room is not in lib/README.md")

    def test_a_circle_of_rooms_is_an_error(self):
        self.write("lib/CMakeLists.txt", "axecert_room(base USES lower)\naxecert_room(lower USES base)\n")
        with self.assertRaises(SystemExit):
            check_architecture.violations(self.root)


if __name__ == "__main__":
    unittest.main()
