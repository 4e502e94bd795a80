// Owns: one reference on a node of a forest. Must not know: what the node means. Thread: the scheduler thread.
#pragma once

#include <utility>

#include "tree/token_forest.h"

namespace thinktree {

class NodeRef {
public:
    NodeRef() = default;
    // Takes over the reference that add_root or add_child gave.
    NodeRef(TokenForest & forest, NodeId id) : forest_(&forest), id_(id) {}
    NodeRef(NodeRef && other) noexcept : forest_(other.forest_), id_(std::exchange(other.id_, no_node)) {}
    NodeRef & operator=(NodeRef && other) noexcept {
        std::swap(forest_, other.forest_);
        std::swap(id_, other.id_);
        return *this;
    }
    ~NodeRef() {
        if (id_ != no_node) forest_->release(id_);
    }

    // Another reference on a node that somebody holds.
    static NodeRef another(TokenForest & forest, NodeId id) {
        ++forest[id].refs;
        return {forest, id};
    }
    NodeRef share() const { return another(*forest_, id_); }
    // The tokens from below `above`, one of its ancestors, to its own last one.
    std::vector<Token> path_below(NodeId above) const { return forest_->path(above, id_); }

    explicit operator bool() const { return id_ != no_node; }
    NodeId id() const { return id_; }
    Node & operator*() const { return (*forest_)[id_]; }
    Node * operator->() const { return &(*forest_)[id_]; }

private:
    TokenForest * forest_ = nullptr;
    NodeId id_ = no_node;
};

}  // namespace thinktree
