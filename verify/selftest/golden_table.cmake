# Adds the generated golden_table.cpp to the room; it is rebuilt when a golden file changes, appears or goes.
set(axecert_golden ${PROJECT_SOURCE_DIR}/tests/golden)
file(GLOB axecert_golden_files CONFIGURE_DEPENDS ${axecert_golden}/*/*.axec ${axecert_golden}/*/*.safetensors)
if(NOT axecert_golden_files)
  message(FATAL_ERROR "verify/selftest: no golden files in ${axecert_golden}")
endif()
set(axecert_golden_table ${CMAKE_CURRENT_BINARY_DIR}/selftest/golden_table.cpp)
add_custom_command(
  OUTPUT ${axecert_golden_table}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${axecert_golden} -DOUTPUT=${axecert_golden_table}
          -P ${CMAKE_CURRENT_LIST_DIR}/embed_golden.cmake
  DEPENDS ${axecert_golden_files} ${CMAKE_CURRENT_LIST_DIR}/embed_golden.cmake
  COMMENT "Embedding golden certificates" VERBATIM)
target_sources(axecert_selftest PRIVATE ${axecert_golden_table})
