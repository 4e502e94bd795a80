# llama.cpp, pinned: unpacked once from the git bundle inside the node-llama-cpp package, so that
# nothing but the npm registry is needed and node-llama-cpp's prebuilt backends are of the same
# release. Parameters cross its C API as structs by value, so another release is another ABI: who
# wants one asks for it with THINKTREE_LLAMA_SOURCE.

set(pinned_bundle ${THINKTREE_PACKAGES}/node-llama-cpp/llama/gitRelease.bundle)
set(pinned_commit de3ff815ea7d559ee917f063901b8986f038abc6) # v0.5.0

# What we change in it: docs/decisions/0003. git refuses a patch that does not fit, so that another release cannot be
# patched wrongly in silence. `git diff -U2` in a patched checkout makes the file anew.
set(llama_patch ${CMAKE_CURRENT_SOURCE_DIR}/native/cmake/llama.patch)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${llama_patch})

# The folder is named after the bundle's content and our changes to it: a new bundle is unpacked, an old one never twice.
# The rename comes last, so a folder that exists is whole.
function(unpack_llama bundle result)
  if(NOT EXISTS ${bundle})
    message(FATAL_ERROR "No llama.cpp at ${bundle}: run `npm ci` first")
  endif()
  file(SHA1 ${bundle} bundle_hash)
  file(SHA1 ${llama_patch} patch_hash)
  string(SHA1 hash ${bundle_hash}${patch_hash})
  string(SUBSTRING ${hash} 0 8 hash)
  set(folder ${CMAKE_BINARY_DIR}/llama.cpp-${hash})
  if(NOT EXISTS ${folder})
    message(STATUS "Unpacking llama.cpp from ${bundle}")
    find_program(GIT git REQUIRED)
    file(REMOVE_RECURSE ${folder}.part)
    execute_process(COMMAND ${GIT} -c advice.detachedHead=false clone --quiet ${bundle} ${folder}.part
                    COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${GIT} -C ${folder}.part apply ${llama_patch} COMMAND_ERROR_IS_FATAL ANY)
    file(RENAME ${folder}.part ${folder})
  endif()
  set(${result} ${folder} PARENT_SCOPE)
endfunction()

set(llama_is_patched ON)
if(IS_DIRECTORY "${THINKTREE_LLAMA_SOURCE}")
  set(llama_folder ${THINKTREE_LLAMA_SOURCE})
  # A user's checkout is left as it is; the one that bench/gpu/prepare packs is patched already.
  file(STRINGS ${llama_folder}/ggml/src/ggml-cpu/ops.cpp llama_is_patched REGEX "kernels/tree_attention.h")
elseif(THINKTREE_LLAMA_SOURCE)
  unpack_llama(${THINKTREE_LLAMA_SOURCE} llama_folder)
else()
  unpack_llama(${pinned_bundle} llama_folder)
  file(STRINGS ${llama_folder}/.git/HEAD commit)
  if(NOT commit STREQUAL pinned_commit)
    message(FATAL_ERROR "${pinned_bundle} holds ${commit}, not the pinned ${pinned_commit}")
  endif()
endif()

# Only ggml and llama: the other folders stay off because llama.cpp is not the top project here.
set(BUILD_SHARED_LIBS OFF)
set(LLAMA_BUILD_IS_DEV OFF)
set(LLAMA_OPENSSL OFF)
set(LLAMA_ALL_WARNINGS OFF) # theirs to read
set(GGML_CUDA ${THINKTREE_CUDA})
set(GGML_VULKAN ${THINKTREE_VULKAN})
set(GGML_METAL ${THINKTREE_METAL})
set(GGML_CCACHE OFF) # it only warns where ccache is missing

# libgomp is one per process: its spinning workers would be shared with whatever else Node loads,
# belong to no context and outlive every worker thread of Node. ggml's own threadpool is created by
# the engine's thread and joined when the engine closes. (Attach one: without, ggml starts and ends
# its threads at every decode.)
set(GGML_OPENMP OFF)

# The patched source includes our kernels.
include_directories(${CMAKE_CURRENT_SOURCE_DIR}/native)

# `set` above must win over the options that llama.cpp declares.
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
add_subdirectory(${llama_folder} ${CMAKE_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL)
if(NOT GGML_NATIVE)
  target_compile_options(ggml-cpu PRIVATE ${thinktree_cpu_flags})
endif()

# GCC's _tile_loadconfig tells the optimiser that it reads 8 bytes of the 64-byte tile configuration, so that GCC drops
# the stores to the rest and the first tile instruction is illegal (seen with 12.2 on a Xeon with AMX).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set_source_files_properties(${llama_folder}/ggml/src/ggml-cpu/amx/mmq.cpp TARGET_DIRECTORY ggml-cpu
                              PROPERTIES COMPILE_OPTIONS "-fno-dse;-fno-tree-dse")
endif()
