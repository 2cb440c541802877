# axecert_room(NAME [VERIFY] [USES rooms...] [LINKS libraries...])
#
# Declares the room lib/NAME (or verify/NAME) as the library axecert::NAME: every .cpp or .c file in the folder, public
# headers found as "axecert/NAME/header.hpp" from the build tree and from an installation alike. USES names the rooms
# below it; what is not named does not link and is caught by tests/architecture.

set(AXECERT_INCLUDE_ROOT ${PROJECT_BINARY_DIR}/include)

function(axecert_compile_options target)
  set_target_properties(${target} PROPERTIES
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
    C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow)
  # IEEE results on every instruction set alike: no fused multiply-add that the source does not write. The other two only
  # say that nobody reads floating-point exceptions or errno, so that loops vectorise.
  target_compile_options(${target} PRIVATE -ffp-contract=off -fno-trapping-math -fno-math-errno)
  # GCC 12 sees overlapping copies in `"text" + std::string` that are not there (GCC bug 105651).
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
  if(AXECERT_DEVELOPER)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(AXECERT_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(AXECERT_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

function(axecert_room name)
  cmake_parse_arguments(ARG "VERIFY" "" "USES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(directory ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${directory}/*.cpp ${directory}/*.c)
  list(FILTER sources EXCLUDE REGEX "_main\\.(c|cpp)$")
  if(NOT sources)
    message(FATAL_ERROR "room ${name}: no sources in ${directory}")
  endif()

  # Headers are named axecert/<room>/<file> everywhere: the build tree links to the folder, installation copies it.
  file(MAKE_DIRECTORY ${AXECERT_INCLUDE_ROOT}/axecert)
  file(CREATE_LINK ${directory} ${AXECERT_INCLUDE_ROOT}/axecert/${name} SYMBOLIC)

  add_library(axecert_${name} STATIC ${sources})
  add_library(axecert::${name} ALIAS axecert_${name})
  set_target_properties(axecert_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME axecert_${name})
  axecert_compile_options(axecert_${name})
  target_compile_features(axecert_${name} PUBLIC cxx_std_20)
  target_include_directories(axecert_${name} PUBLIC
    $<BUILD_INTERFACE:${AXECERT_INCLUDE_ROOT}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  foreach(room IN LISTS ARG_USES)
    target_link_libraries(axecert_${name} PUBLIC axecert::${room})
  endforeach()
  target_link_libraries(axecert_${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
  set_property(GLOBAL APPEND PROPERTY AXECERT_ROOMS ${name})
  set_property(GLOBAL PROPERTY AXECERT_ROOM_${name} ${directory})
endfunction()
