# cmake --install puts the programs into bin/, the client library into lib/ and include/assent/, and what
# find_package(Assent) reads into lib/cmake/Assent/. A program links Assent::client.

include(CMakePackageConfigHelpers)

set(assent_config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Assent)

install(EXPORT AssentTargets NAMESPACE Assent:: DESTINATION ${assent_config_folder})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/.cmake/AssentConfig.cmake.in ${PROJECT_BINARY_DIR}/AssentConfig.cmake
  INSTALL_DESTINATION ${assent_config_folder})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/AssentConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/AssentConfig.cmake ${PROJECT_BINARY_DIR}/AssentConfigVersion.cmake
  DESTINATION ${assent_config_folder})
