// What the CPU says of itself, as an addon of its own that any machine can load: registers, which lib/engine/cpu.ts
// reads.
//
// Owns: asking. Must not know: what a bit means, which binaries there are. Thread: JavaScript's.
#include <napi.h>

#include <array>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(_M_X64)
#include <immintrin.h>
#include <intrin.h>
#elif defined(__linux__) && defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace {

#if defined(__x86_64__) || defined(_M_X64)

struct Leaf {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// A leaf that the CPU does not have is all zeros.
Leaf cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
    Leaf found;
#if defined(_M_X64)
    std::array<int, 4> registers{};
    __cpuid(registers.data(), 0);
    if (static_cast<std::uint32_t>(registers[0]) < leaf) return found;
    __cpuidex(registers.data(), static_cast<int>(leaf), static_cast<int>(subleaf));
    found = {static_cast<std::uint32_t>(registers[0]), static_cast<std::uint32_t>(registers[1]),
             static_cast<std::uint32_t>(registers[2]), static_cast<std::uint32_t>(registers[3])};
#else
    __get_cpuid_count(leaf, subleaf, &found.eax, &found.ebx, &found.ecx, &found.edx);
#endif
    return found;
}

// The registers whose content the operating system keeps from one thread to the next; only where it says that it does.
std::uint32_t kept_registers(const Leaf & features) {
    if ((features.ecx & (1U << 27)) == 0) return 0;
#if defined(_M_X64)
    return static_cast<std::uint32_t>(_xgetbv(0));
#else
    std::uint32_t low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

#endif

Napi::Value registers(const Napi::CallbackInfo & info) {
    const Napi::Object found = Napi::Object::New(info.Env());
#if defined(__x86_64__) || defined(_M_X64)
    const Leaf first = cpuid(1, 0), extended = cpuid(7, 0), more = cpuid(7, 1);
    found.Set("leaf1Ecx", first.ecx);
    found.Set("leaf7Ebx", extended.ebx);
    found.Set("leaf7Ecx", extended.ecx);
    found.Set("leaf7Edx", extended.edx);
    found.Set("leaf7Sub1Eax", more.eax);
    found.Set("xcr0", kept_registers(first));
#elif defined(__linux__) && defined(__aarch64__)
    found.Set("hwcap", static_cast<double>(getauxval(AT_HWCAP)));
#endif
    return found;
}

Napi::Object probe(Napi::Env env, Napi::Object exports) {
    exports.Set("registers", Napi::Function::New(env, registers));
    return exports;
}

NODE_API_MODULE(cpu, probe)

}  // namespace
