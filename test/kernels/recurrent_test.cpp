// A real recurrent model through the backend: its logits are those that its makers published, and a state that was
// copied where a step ends goes on like one that has read everything itself. THINKTREE_TEST_RECURRENT names the model,
// THINKTREE_TEST_RECURRENT_LOGITS its expected logits after the bytes `"in`; without them nothing is checked.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "backend/llama/llama_backend.h"
#include "random_forest.h"

namespace {

using namespace thinktree;

std::shared_ptr<const Model> recurrent_model() {
    const char * path = std::getenv("THINKTREE_TEST_RECURRENT");
    if (path != nullptr) return LlamaModels().load({path, 0});
    std::cout << "    skipped: no THINKTREE_TEST_RECURRENT" << std::endl;
    return nullptr;
}

TEST(a_recurrent_models_logits_are_the_published_ones) {
    const auto model = recurrent_model();
    const char * path = std::getenv("THINKTREE_TEST_RECURRENT_LOGITS");
    if (model == nullptr || path == nullptr) return;
    std::vector<float> expected(256);
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char *>(expected.data()), static_cast<std::streamsize>(expected.size() * sizeof(float)));
    CHECK(file.good());
    const std::vector<Token> tokens = model->tokenize(plain_text("\"in"), false);
    CHECK_EQ(tokens.size(), 3u);
    const std::vector<float> logits = ReadAlone(*model).after(tokens);
    CHECK_EQ(model->n_vocab(), 256);
    CHECK(largest_difference(logits.data(), expected.data(), 256) < 1e-5f);
}

TEST(a_forest_of_states_computes_what_each_path_does_alone) {
    const auto model = recurrent_model();
    if (model == nullptr) return;
    ReadAlone alone(*model);
    for (const int32_t sequences : {1, 2, 5, 64}) {
        CHECK(RandomForest(*model, sequences * 256, alone).grow(60, 7).most < 1e-4f);
    }
}

}  // namespace
