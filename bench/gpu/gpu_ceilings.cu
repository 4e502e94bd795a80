// Owns: what a card can do at most, measured: bytes and multiplications a second; and what draws from rows of logits
// take on it. Must not know: models. Thread: one.
//
//   gpu_ceilings        prints a line of JSON for each
#include <cublas_v2.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "kernels/cuda/sample_rows.h"

namespace {

void check(bool ok, const char * what) {
    if (ok) return;
    std::fprintf(stderr, "gpu_ceilings: %s: %s\n", what, cudaGetErrorString(cudaGetLastError()));
    std::exit(1);
}

template <typename T>
T * on_device(size_t count) {
    T * data = nullptr;
    check(cudaMalloc(&data, count * sizeof(T)) == cudaSuccess, "no memory");
    return data;
}

// Random data: zeros draw less power, and run faster than work does.
template <typename T>
__global__ void fill(T * data, size_t count, float spread) {
    for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
        uint32_t x = static_cast<uint32_t>(i) * 2654435761u ^ 0x9E3779B9u;
        x ^= x >> 15;
        x *= 2246822519u;
        x ^= x >> 13;
        data[i] = static_cast<T>((static_cast<float>(x >> 8) / (1 << 24) - 0.5f) * spread);
    }
}

__global__ void read_all(const float4 * data, size_t count, float * out) {
    float sum = 0;
    for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
        const float4 x = data[i];
        sum += x.x + x.y + x.z + x.w;
    }
    if (sum == 12345.678f) *out = sum;  // so that it is not optimised away
}

// Median of several runs, in milliseconds, by the device's clock.
double time_of(const std::function<void()> & work) {
    constexpr int runs = 15;
    cudaEvent_t begin, end;
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    std::vector<float> taken;
    for (int i = -2; i < runs; ++i) {
        cudaEventRecord(begin);
        work();
        cudaEventRecord(end);
        check(cudaEventSynchronize(end) == cudaSuccess, "run");
        float ms = 0;
        cudaEventElapsedTime(&ms, begin, end);
        if (i >= 0) taken.push_back(ms);
    }
    std::nth_element(taken.begin(), taken.begin() + runs / 2, taken.end());
    return static_cast<double>(taken[runs / 2]);
}

void report(const char * what, double value) {
    std::printf("{\"what\":\"%s\",\"value\":%.6g}\n", what, value);
    std::fflush(stdout);
}

void bandwidth() {
    constexpr size_t bytes = size_t{2} << 30;
    auto * from = on_device<float>(bytes / sizeof(float));
    auto * to = on_device<float>(bytes / sizeof(float));
    fill<<<1024, 256>>>(from, bytes / sizeof(float), 1.0f);
    const double copy = time_of([&] { cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice); });
    report("copy_bytes_per_second", 2.0 * bytes / copy * 1e3);
    const double read = time_of([&] { read_all<<<4096, 256>>>(reinterpret_cast<float4 *>(from), bytes / 16, to); });
    report("read_bytes_per_second", bytes / read * 1e3);
    cudaFree(from);
    cudaFree(to);
}

void multiplications() {
    constexpr int n = 8192;
    constexpr double operations = 2.0 * n * n * n;
    auto * a = on_device<half>(size_t{n} * n);
    auto * b = on_device<half>(size_t{n} * n);
    auto * c = on_device<float>(size_t{n} * n);
    fill<<<1024, 256>>>(a, size_t{n} * n, 1.0f);
    fill<<<1024, 256>>>(b, size_t{n} * n, 1.0f);
    cublasHandle_t cublas;
    check(cublasCreate(&cublas) == CUBLAS_STATUS_SUCCESS, "cuBLAS");
    const float one = 1, zero = 0;
    const double halves = time_of([&] {
        check(cublasGemmEx(cublas, CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, &one, a, CUDA_R_16F, n, b, CUDA_R_16F, n, &zero,
                           c, CUDA_R_16F, n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS,
              "product");
    });
    report("f16_operations_per_second", operations / halves * 1e3);
    auto * i8 = reinterpret_cast<int8_t *>(a);
    fill<<<1024, 256>>>(i8, size_t{n} * n * 2, 250.0f);
    const int32_t integer_one = 1, integer_zero = 0;
    const double bytes = time_of([&] {
        check(cublasGemmEx(cublas, CUBLAS_OP_T, CUBLAS_OP_N, n, n, n, &integer_one, i8, CUDA_R_8I, n,
                           i8 + size_t{n} * n, CUDA_R_8I, n, &integer_zero, c, CUDA_R_32I, n, CUBLAS_COMPUTE_32I,
                           CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS,
              "integer product");
    });
    report("i8_operations_per_second", operations / bytes * 1e3);
}

void draws() {
    using namespace thinktree;
    constexpr int entries = 151936, most = 256;
    auto * logits = on_device<float>(size_t{entries} * most);
    fill<<<1024, 256>>>(logits, size_t{entries} * most, 20.0f);
    auto * asked = on_device<DrawOfRow>(most);
    auto * drawn = on_device<Drawn>(most);
    const struct {
        const char * name;
        int32_t top_k;
        float top_p, min_p;
    } samplers[] = {{"plain", 0, 1.0f, 0.0f}, {"top_p", 0, 0.95f, 0.0f}, {"truncated", 40, 0.95f, 0.05f}};
    for (const auto & sampler : samplers) {
        std::vector<DrawOfRow> list;
        for (int i = 0; i < most; ++i)
            list.push_back({(i + 0.5) / most, i, sampler.top_k, 0.8f, sampler.top_p, sampler.min_p});
        cudaMemcpy(asked, list.data(), list.size() * sizeof(DrawOfRow), cudaMemcpyHostToDevice);
        for (const int rows : {1, 16, 64, 256}) {
            const double ms = time_of([&] { draw_tokens({logits, entries, entries}, asked, rows, drawn, nullptr); });
            char what[64];
            std::snprintf(what, sizeof what, "draw_ms_%s_%d", sampler.name, rows);
            report(what, ms);
        }
    }
}

}  // namespace

int main() {
    cudaDeviceProp card;
    check(cudaGetDeviceProperties(&card, 0) == cudaSuccess, "no device");
    std::fprintf(stderr, "%s, %d multiprocessors\n", card.name, card.multiProcessorCount);
    bandwidth();
    multiplications();
    draws();
}
