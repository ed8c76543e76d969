# Compiler settings that hold for every target of ours.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Debug or RelWithDebInfo" FORCE)
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Werror
  -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wconversion -Woverloaded-virtual -Wcast-align
  -Wduplicated-cond -Wlogical-op -Wformat=2 -Wimplicit-fallthrough -Wundef
  # g++ 12 sees an overlap in std::string's operator+ that is not there (gcc bug 105651).
  -Wno-restrict
  # Designated initializers leave members to their defaults on purpose.
  -Wno-missing-field-initializers)

# Cheap bounds checks of the standard library stay on in every build, as ASSENT_CHECK does.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

if(ASSENT_MUTANTS)
  add_compile_definitions(ASSENT_MUTANTS)
endif()

if(ASSENT_SANITIZE)
  add_compile_options(-fsanitize=${ASSENT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # g++ 12 loses track of initialisation through instrumented code (gcc bug 105562).
    -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${ASSENT_SANITIZE})
  if(ASSENT_SANITIZE MATCHES "thread")
    # Asio's handler queues use atomic_thread_fence, which tsan cannot follow.
    add_compile_options(-Wno-tsan)
  endif()
endif()

find_program(ASSENT_CCACHE ccache)
mark_as_advanced(ASSENT_CCACHE)
if(ASSENT_CCACHE)
  # The sloppiness is what ccache asks for when precompiled headers are in use (ccache manual).
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    ${ASSENT_CCACHE})
  if(NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
    add_compile_options(-fpch-preprocess)
  endif()
endif()
