# How our own code is compiled. llama.cpp and node-addon-api are never held to these.

if(THINKTREE_SANITIZE AND THINKTREE_LLAMA)
  message(FATAL_ERROR "THINKTREE_SANITIZE instruments the core alone: add -DTHINKTREE_LLAMA=OFF")
endif()

if(THINKTREE_SANITIZE STREQUAL "address")
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(THINKTREE_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread -fno-omit-frame-pointer)
elseif(THINKTREE_SANITIZE)
  message(FATAL_ERROR "THINKTREE_SANITIZE is '${THINKTREE_SANITIZE}', not address or thread")
endif()

function(thinktree_compile_options target)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /WX /O2 ${thinktree_cpu_flags})
    return()
  endif()
  # shadow=local: a constructor may name its parameters as the members they fill (clang agrees unasked).
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror
                                           $<IF:$<CXX_COMPILER_ID:GNU>,-Wshadow=local,-Wshadow>)
  if(sanitizers)
    # Lines are all that a report names; -O1 keeps a sanitized run within minutes; asserts stay on.
    target_compile_options(${target} PRIVATE ${sanitizers} -O1 -g1 -UNDEBUG)
    target_link_options(${target} PRIVATE ${sanitizers})
    return()
  endif()
  target_compile_options(${target} PRIVATE -O3 ${thinktree_cpu_flags})
endfunction()

# node-llama-cpp's addon carries its own llama.cpp of another build. Were ours exported, the loader
# could bind one library's calls to the other's code; so the addon shows Node its entry and no more.
function(thinktree_export_only_napi target)
  if(APPLE)
    target_link_options(${target} PRIVATE -undefined dynamic_lookup -Wl,-exported_symbol,_napi_register_module_v1
                                          -Wl,-exported_symbol,_node_api_module_get_api_version_v1)
  elseif(NOT WIN32)
    set(exports ${CMAKE_CURRENT_SOURCE_DIR}/native/cmake/exports.map)
    # nodelete: Node unloads an addon with its last environment, perhaps under a thread still leaving.
    target_link_options(${target} PRIVATE -Wl,--version-script=${exports} -Wl,-z,nodelete)
    set_target_properties(${target} PROPERTIES LINK_DEPENDS ${exports})
  endif()
endfunction()

# A published binary needs no library of the machine's but the C library, and brings no names for a debugger.
function(thinktree_stand_alone target)
  if(APPLE)
    target_link_options(${target} PRIVATE -Wl,-S -Wl,-x)
  elseif(NOT MSVC)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -s)
  endif()
endfunction()
