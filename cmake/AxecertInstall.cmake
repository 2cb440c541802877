# What `cmake --install` puts where: the rooms' libraries and headers with an exported CMake package, the programs, the
# datapath presets and the documentation. tests/package installs it and builds against it.
include(CMakePackageConfigHelpers)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/axecert)

get_property(rooms GLOBAL PROPERTY AXECERT_ROOMS)
foreach(room IN LISTS rooms)
  get_property(directory GLOBAL PROPERTY AXECERT_ROOM_${room})
  install(TARGETS axecert_${room} EXPORT axecert ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${directory}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/axecert/${room}
          FILES_MATCHING PATTERN *.hpp PATTERN *.h)
endforeach()
install(TARGETS axecert_axecert EXPORT axecert)

install(TARGETS axecert-check EXPORT axecert)
if(TARGET axecert)
  set_target_properties(axecert PROPERTIES EXPORT_NAME cli)  # axecert::axecert is the library
  install(TARGETS axecert EXPORT axecert)
endif()

install(EXPORT axecert NAMESPACE axecert:: FILE axecertTargets.cmake DESTINATION ${package_directory})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/axecertConfig.cmake.in
  ${PROJECT_BINARY_DIR}/axecertConfig.cmake INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/axecertConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/axecertConfig.cmake ${PROJECT_BINARY_DIR}/axecertConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/AxecertDependencies.cmake
        DESTINATION ${package_directory})

install(DIRECTORY ${PROJECT_SOURCE_DIR}/lib/datapath/presets/ DESTINATION ${CMAKE_INSTALL_DATADIR}/axecert/datapaths
        FILES_MATCHING PATTERN *.toml)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
