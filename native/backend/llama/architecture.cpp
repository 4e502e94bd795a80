#include "backend/llama/architecture.h"

#include "backend/llama/gguf_file.h"
// Not public, and so as it is in the pinned release: the public API says this of loaded models only.
#include "llama-arch.h"

namespace thinktree {

std::optional<std::string> unfit(const GgufFile & file) {
    const llm_arch architecture = llm_arch_from_string(file.architecture());
    if (is_adapter(file)) {
        return "an adapter for a model, not a model: name it among a model's adapters (--generator-lora, "
               "--verifier-lora, --draft-lora)";
    }
    if (architecture == LLM_ARCH_UNKNOWN) return "this llama.cpp has no architecture " + file.architecture();
    switch (architecture) {
        case LLM_ARCH_CLIP: return "an encoder of images: no language model";
        case LLM_ARCH_WAVTOKENIZER_DEC: return "a decoder of sounds: no language model";
        case LLM_ARCH_DEEPSEEK4:
            return "its compressed cache copies whole sequences only: branches of one text cannot share it";
        case LLM_ARCH_PLAMO2:
            // build_plamo2_mamba_layer: it takes the first one's place times their number for where they are.
            return "this llama.cpp writes its states to wrong places where it computes several sequences";
        case LLM_ARCH_QWEN4EXP:
            // set_input_qsa in llama-memory-hybrid-idx.cpp: a block is of cells that the same sequences have.
            return "its sparse attention puts cells into blocks by which branches share them: what one branch "
                   "writes would depend on the others";
        case LLM_ARCH_EAGLE3:
        case LLM_ARCH_DFLASH:
        case LLM_ARCH_GEMMA4_ASSISTANT: return "a part of another model, of no use alone";
        case LLM_ARCH_T5:
        case LLM_ARCH_T5ENCODER:
        case LLM_ARCH_BERT:
        case LLM_ARCH_MODERN_BERT:
        case LLM_ARCH_NOMIC_BERT:
        case LLM_ARCH_NOMIC_BERT_MOE:
        case LLM_ARCH_NEO_BERT:
        case LLM_ARCH_JINA_BERT_V2:
        case LLM_ARCH_JINA_BERT_V3:
        case LLM_ARCH_EUROBERT:
        case LLM_ARCH_LLAMA_EMBED:
        case LLM_ARCH_GEMMA_EMBEDDING: return "not a decoder-only language model";
        default: break;
    }
    if (llm_arch_is_diffusion(architecture) || !file.flag(".attention.causal").value_or(true)) {
        return "not a decoder-only language model: its tokens see those after them";
    }
    const std::string vocabulary = file.text("tokenizer.ggml.model").value_or("");
    if (vocabulary.empty() || vocabulary == "none" || vocabulary == "no_vocab") return "the model has no vocabulary";
    return std::nullopt;
}

bool is_adapter(const GgufFile & file) { return file.text("general.type") == "adapter"; }

MemoryKind memory_kind(const GgufFile & file) {
    const llm_arch architecture = llm_arch_from_string(file.architecture());
    if (llm_arch_is_recurrent(architecture)) return MemoryKind::states;
    return llm_arch_is_hybrid(architecture) ? MemoryKind::both : MemoryKind::cells;
}

}  // namespace thinktree
