# Adds the generated preset_table.cpp to the room; it is rebuilt when a preset changes, appears or goes.
file(GLOB axecert_presets CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/presets/*.toml)
set(axecert_preset_table ${CMAKE_CURRENT_BINARY_DIR}/datapath/preset_table.cpp)
add_custom_command(
  OUTPUT ${axecert_preset_table}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_CURRENT_LIST_DIR}/presets -DOUTPUT=${axecert_preset_table}
          -P ${CMAKE_CURRENT_LIST_DIR}/embed_presets.cmake
  DEPENDS ${axecert_presets} ${CMAKE_CURRENT_LIST_DIR}/embed_presets.cmake
  COMMENT "Embedding datapath presets" VERBATIM)
target_sources(axecert_datapath PRIVATE ${axecert_preset_table})
