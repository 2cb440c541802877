# Runs PROGRAM on FILE and fails unless it exits with 0 and says exactly EXPECTED, on one line.
execute_process(COMMAND ${PROGRAM} ${FILE} RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE complaint TIMEOUT 50)
string(STRIP "${said}" said)
if(NOT status EQUAL 0 OR NOT said STREQUAL "${EXPECTED}" OR NOT complaint STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} ${FILE}: exit ${status}, '${said}' ${complaint}; expected '${EXPECTED}'")
endif()
