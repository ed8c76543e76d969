# What we need of Debian 12; ./run deps installs it.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS headers json)
find_package(Protobuf REQUIRED MODULE)
find_package(fmt REQUIRED CONFIG)
find_package(spdlog REQUIRED CONFIG)
find_package(leveldb REQUIRED CONFIG)
find_package(ODBC REQUIRED MODULE)
find_package(toml11 REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(OpenSSL REQUIRED MODULE)
find_package(Catch2 2 REQUIRED CONFIG)
find_package(benchmark REQUIRED CONFIG)
