// Owns: in the place of CUDA's header of this name, as much of its runtime as our host code uses, on a CPU: memory of
// two kinds, and a stream that does nothing before somebody waits for it. Must not know: kernels. Thread: the test's
// own.
//
// What is read before it has been waited for is the filling of fresh memory; what is changed too early arrives changed.
// A copy that mistakes one kind of memory for the other fails. Any call may be made to fail.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <utility>
#include <vector>

struct CUstream_st;
using cudaStream_t = CUstream_st *;
enum cudaError_t { cudaSuccess, cudaErrorUnknown };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };

namespace emulate {

struct Runtime {
    std::map<const unsigned char *, size_t> on_host, on_device;  // what is allocated, with its size
    std::vector<std::function<void()>> submitted;
    int device = -1;
    int calls = 0;
    int failing_call = -1;

    static Runtime & get() {
        static Runtime runtime;
        return runtime;
    }

    cudaError_t call() { return calls++ == failing_call ? cudaErrorUnknown : cudaSuccess; }

    cudaError_t allocate(std::map<const unsigned char *, size_t> & list, void ** memory, size_t bytes) {
        if (call() != cudaSuccess) return cudaErrorUnknown;
        *memory = std::malloc(bytes);
        std::memset(*memory, 0xAB, bytes);
        list[static_cast<unsigned char *>(*memory)] = bytes;
        return cudaSuccess;
    }

    static cudaError_t free(std::map<const unsigned char *, size_t> & list, void * memory) {
        if (memory == nullptr) return cudaSuccess;
        if (list.erase(static_cast<unsigned char *>(memory)) == 0) return cudaErrorUnknown;
        std::free(memory);
        return cudaSuccess;
    }

    static bool holds(const std::map<const unsigned char *, size_t> & list, const void * memory, size_t bytes) {
        const auto * begin = static_cast<const unsigned char *>(memory);
        const auto next = list.upper_bound(begin);
        if (next == list.begin()) return false;
        const auto & [start, size] = *std::prev(next);
        return begin + bytes <= start + size;
    }
};

}  // namespace emulate

inline cudaError_t cudaSetDevice(int device) {
    emulate::Runtime::get().device = device;
    return emulate::Runtime::get().call();
}
inline cudaError_t cudaMallocHost(void ** memory, size_t bytes) {
    auto & runtime = emulate::Runtime::get();
    return runtime.allocate(runtime.on_host, memory, bytes);
}
inline cudaError_t cudaMalloc(void ** memory, size_t bytes) {
    auto & runtime = emulate::Runtime::get();
    return runtime.allocate(runtime.on_device, memory, bytes);
}
inline cudaError_t cudaFreeHost(void * memory) {
    return emulate::Runtime::free(emulate::Runtime::get().on_host, memory);
}
inline cudaError_t cudaFree(void * memory) { return emulate::Runtime::free(emulate::Runtime::get().on_device, memory); }
inline cudaError_t cudaGetLastError() { return emulate::Runtime::get().call(); }

inline cudaError_t cudaMemcpyAsync(void * to, const void * from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
    auto & runtime = emulate::Runtime::get();
    const bool down = kind == cudaMemcpyHostToDevice;
    if (!runtime.holds(down ? runtime.on_device : runtime.on_host, to, bytes)) return cudaErrorUnknown;
    if (!runtime.holds(down ? runtime.on_host : runtime.on_device, from, bytes)) return cudaErrorUnknown;
    if (runtime.call() != cudaSuccess) return cudaErrorUnknown;
    runtime.submitted.push_back([=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}

inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
    for (const auto & work : std::exchange(emulate::Runtime::get().submitted, {})) work();
    return emulate::Runtime::get().call();
}
