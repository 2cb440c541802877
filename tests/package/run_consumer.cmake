# Configures, builds and runs one consumer in a folder of its own below the build tree, which it empties first. For
# find_package it installs the surrounding build into that folder and lets the consumer see nothing else of it.
set(work ${BUILD}/tests/package/${CONSUMER})
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})

function(must_run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${result}: ${command}")
  endif()
endfunction()

set(options -G ${GENERATOR} -D CMAKE_BUILD_TYPE=${BUILD_TYPE}
  -D CMAKE_C_COMPILER=${C_COMPILER} -D CMAKE_CXX_COMPILER=${CXX_COMPILER}
  -D CMAKE_C_COMPILER_LAUNCHER=${LAUNCHER} -D CMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
if(CONSUMER STREQUAL "find_package")
  must_run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/prefix --config ${BUILD_TYPE})
  list(APPEND options -D CMAKE_PREFIX_PATH=${work}/prefix)
else()
  list(APPEND options -D AXECERT_SOURCE=${SOURCE} -D AXECERT_SANITIZE=${SANITIZE})
endif()

must_run(${CMAKE_COMMAND} -S ${SOURCE}/tests/package/${CONSUMER} -B ${work}/build ${options})
must_run(${CMAKE_COMMAND} --build ${work}/build --config ${BUILD_TYPE} --parallel 2 --target consumer)
must_run(${work}/build/consumer)
if(CONSUMER STREQUAL "find_package")
  must_run(${work}/prefix/bin/axecert datapaths)
  foreach(file share/axecert/datapaths share/doc/axecert/README.md share/doc/axecert/LICENSE bin/axecert-check)
    if(NOT EXISTS ${work}/prefix/${file})
      message(FATAL_ERROR "not installed: ${file}")
    endif()
  endforeach()
endif()
file(REMOVE_RECURSE ${work})
