# Our CUDA kernels: a library that knows nothing of ggml, the calls to it from inside ggml's CUDA backend, and the
# program that compares them with a CPU on a device.
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

# As ggml has chosen: what was asked for, the machine's own, or its list.
get_target_property(CMAKE_CUDA_ARCHITECTURES ggml-cuda CUDA_ARCHITECTURES)
set(CMAKE_CUDA_STANDARD 17)

set(kernels ${CMAKE_CURRENT_SOURCE_DIR}/native/kernels/cuda)
add_library(thinktree_cuda STATIC ${kernels}/tree_attention.cu ${kernels}/sample_rows.cu ${kernels}/row_answers.cpp)
target_include_directories(thinktree_cuda PRIVATE native)
target_link_libraries(thinktree_cuda PUBLIC CUDA::cudart)

target_sources(ggml-cuda PRIVATE ${kernels}/ggml_tree_attention.cu ${kernels}/ggml_stream.cu)
set_source_files_properties(${kernels}/ggml_tree_attention.cu ${kernels}/ggml_stream.cu TARGET_DIRECTORY ggml-cuda
                            PROPERTIES INCLUDE_DIRECTORIES ${llama_folder}/ggml/src/ggml-cuda)
target_link_libraries(ggml-cuda PRIVATE thinktree_cuda)

if(cuda_test_sources)
  add_executable(cuda_parity EXCLUDE_FROM_ALL ${cuda_test_sources} test/cuda/large_cases.cpp test/cuda/device.cu
                                              test/cuda/device_answers.cpp test/native/main.cpp)
  target_include_directories(cuda_parity PRIVATE test/cuda)
  target_link_libraries(cuda_parity PRIVATE thinktree_cuda thinktree_core)
endif()
