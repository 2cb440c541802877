# axecert_find_dependencies(MISSING)
#
# Finds what the rooms link, for the build and for the installed package alike, and sets MISSING to one sentence per
# library that is not there. Libraries that ship no CMake package become imported targets axecert_external::NAME; the
# variables AXECERT_MPFR, AXECERT_Z3, ... name them for the rooms. What each is for: docs/dependencies.md.

macro(_axecert_external name header library package)
  string(TOUPPER ${name} _axecert_upper)
  find_library(AXECERT_${_axecert_upper}_LIBRARY ${library})
  find_path(AXECERT_${_axecert_upper}_INCLUDE ${header} PATH_SUFFIXES ${ARGN})
  mark_as_advanced(AXECERT_${_axecert_upper}_LIBRARY AXECERT_${_axecert_upper}_INCLUDE)
  set(AXECERT_${_axecert_upper} axecert_external::${name})
  if(NOT AXECERT_${_axecert_upper}_LIBRARY OR NOT AXECERT_${_axecert_upper}_INCLUDE)
    list(APPEND _axecert_missing "${name}: lib${library} or ${header} not found (Debian: apt install ${package})")
  elseif(NOT TARGET axecert_external::${name})
    add_library(axecert_external::${name} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(axecert_external::${name} PROPERTIES
      IMPORTED_LOCATION "${AXECERT_${_axecert_upper}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${AXECERT_${_axecert_upper}_INCLUDE}")
  endif()
endmacro()

macro(_axecert_package name version debian_package)
  find_package(${name} ${version} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    list(APPEND _axecert_missing "${name} ${version}: not found (Debian: apt install ${debian_package})")
  endif()
endmacro()

macro(axecert_find_dependencies missing)
  set(_axecert_missing)
  find_package(Threads REQUIRED)
  _axecert_package(Boost 1.74 libboost-dev CONFIG)
  _axecert_package(nlohmann_json 3.11 nlohmann-json3-dev CONFIG)
  _axecert_package(tomlplusplus 3 libtomlplusplus-dev CONFIG)
  _axecert_external(gmp gmp.h gmp libgmp-dev)
  _axecert_external(mpfr mpfr.h mpfr libmpfr-dev)
  _axecert_external(mpfi mpfi.h mpfi libmpfi-dev)
  _axecert_external(openblas cblas.h openblas libopenblas-dev openblas-pthread openblas)
  _axecert_external(zip zip.h zip libzip-dev)
  if(AXECERT_Z3_ROOT)  # another Z3 than the system's, as PyPI's z3-solver unpacks it: include/ and lib/
    find_library(AXECERT_Z3_LIBRARY z3 PATHS ${AXECERT_Z3_ROOT}/lib NO_DEFAULT_PATH)
    find_path(AXECERT_Z3_INCLUDE z3++.h PATHS ${AXECERT_Z3_ROOT}/include NO_DEFAULT_PATH)
  endif()
  _axecert_external(z3 z3++.h z3 libz3-dev z3)
  if(AXECERT_Z3_ROOT)  # what is not there was looked for elsewhere, or stands in an older build folder
    foreach(_axecert_found ${AXECERT_Z3_LIBRARY} ${AXECERT_Z3_INCLUDE})
      string(FIND "${_axecert_found}" "${AXECERT_Z3_ROOT}/" _axecert_at)
      if(NOT _axecert_at EQUAL 0)
        list(APPEND _axecert_missing "z3: ${_axecert_found} is not in AXECERT_Z3_ROOT, ${AXECERT_Z3_ROOT}: put include/ and lib/ there, and use a new build folder")
      endif()
    endforeach()
  endif()
  if(AXECERT_ONNX)  # of libonnx only the messages of the file format
    _axecert_external(onnx_proto onnx/onnx_pb.h onnx_proto libonnx-dev)
    _axecert_external(protobuf google/protobuf/message.h protobuf libprotobuf-dev)
  endif()
  set(${missing} "${_axecert_missing}")
endmacro()
