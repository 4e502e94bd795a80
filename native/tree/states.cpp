// The forest's part for memory that forks at ends: which states stay, which go on, and what they hold.
#include <algorithm>

#include "base/error.h"
#include "tree/token_forest.h"

namespace thinktree {

// As long as a path: one run after the other, not one inside the other.
CellRun::~CellRun() {
    add(-cells_);
    while (above_ && above_.use_count() == 1) above_ = std::exchange(above_->above_, nullptr);
}

void CellRun::add(int64_t cells) {
    cells_ += cells;
    used_ += cells;
    usage_.cells += cells;
    usage_.cells_peak = std::max(usage_.cells_peak, usage_.cells);
}

int64_t CellRun::length() const {
    int64_t cells = 0;
    for (const CellRun * run = this; run != nullptr; run = run->above_.get()) cells += run->cells_;
    return cells;
}

// Whether some text but that of the child `but_for` will go on from the node's end.
bool TokenForest::is_forked(NodeId id, NodeId but_for) const {
    const bool counted = but_for != no_node && nodes_[but_for].leases.empty();
    return nodes_[id].forks || nodes_[id].stateless > (counted ? 1 : 0);
}

// Whether the child `id` may go on with its parent's state itself. What is spare may go at any time, and must not take
// a step's own state with it; and who runs alone after a fault (age 0) stops nowhere on the way.
bool TokenForest::may_take(SeqId seq, NodeId id, uint64_t age) const {
    if (age == spare && leases_[static_cast<size_t>(seq)].claim != spare) return false;
    return age == 0 || !is_forked(nodes_[id].parent, id);
}

// `node` goes on from its own state, or from its parent's if it has none. All others on its path are copies that it
// does not need.
bool TokenForest::keeps_victim(const Lease & lease, NodeId node) const {
    return lease.node == (nodes_[node].lease == no_seq ? nodes_[node].parent : node);
}

// Whether the node cannot begin in this batch: a state that has to stay is there to be copied only after the decode;
// and nobody takes a state without reading on.
bool TokenForest::must_wait(NodeId id, uint64_t age, const Batch & batch) const {
    const Node & node = nodes_[id];
    if (node.lease != no_seq) return false;
    const SeqId from = node.parent == no_node ? no_seq : nodes_[node.parent].lease;
    const bool being_read = from != no_seq && leases_[static_cast<size_t>(from)].planned;
    if (being_read && !may_take(from, id, age)) return true;
    const bool output = node.size() == 1 ? node.want_last : node.want_inner;
    return output && batch.outputs.size() == batch.max_outputs;
}

// Gives `id` a state that has read all above it: its parent's if nobody else needs that, else a copy. Where there is no
// sequence for a copy it takes the parent's all the same, if else the batch would be empty: the others will have to
// compute it again.
bool TokenForest::acquire_state(NodeId id, uint64_t age, const Batch & batch) {
    const NodeId parent = nodes_[id].parent;
    const SeqId from = parent == no_node ? no_seq : nodes_[parent].lease;
    // A state in the making was no one's to wait for before others lost theirs to this one.
    bool takes = from != no_seq && (leases_[static_cast<size_t>(from)].planned || may_take(from, id, age));
    if (!takes && free_seqs_.empty() && !make_way(id, age)) {
        if (from == no_seq || age == spare || !batch.rows.empty()) return false;
        takes = true;
    }
    SeqId seq = from;
    if (takes) {
        nodes_[parent].lease = no_seq;
        nodes_[parent].computed = 0;
        cover(id, parent, seq);
    } else {
        seq = free_seqs_.back();
        free_seqs_.pop_back();
        if (from != no_seq) {
            Lease & copied = leases_[static_cast<size_t>(from)];
            context_.seq_copy(from, seq, 0, nodes_[id].start);
            leases_[static_cast<size_t>(seq)].cells = copied.cells;
            copied.last_used = ++clock_;
            // Who computed it goes on elsewhere; it stays for whoever comes.
            if (copied.claim != spare) copied.claim = idle;
        }
        cover(id, no_node, seq);
    }
    leases_[static_cast<size_t>(seq)].node = id;
    leases_[static_cast<size_t>(seq)].claim = nodes_[id].speculative ? spare : idle;
    nodes_[id].lease = seq;
    return true;
}

void TokenForest::commit_state(const Batch::Span & span, SeqId seq) {
    Node & node = nodes_[span.node];
    Lease & lease = leases_[static_cast<size_t>(seq)];
    if (lease.node == span.node) node.computed = span.end;  // else it has gone on in the same batch
    if (!lease.cells || lease.cells.use_count() > 1) {
        lease.cells = std::make_shared<CellRun>(std::move(lease.cells), *node.usage, cells_used_);
    }
    lease.cells->add(static_cast<int64_t>(span.end - span.begin));
}

void TokenForest::check_states() const {
    const auto require = [](bool ok, const char * what) {
        if (!ok) throw Error(ErrorCode::internal, std::string("token forest: ") + what);
    };
    std::vector<uint32_t> stateless(nodes_.size(), 0);
    std::vector<bool> dead(nodes_.size(), false);
    for (const NodeId id : free_nodes_) dead[id] = true;
    for (NodeId id = 0; id < nodes_.size(); ++id) {
        if (dead[id]) continue;
        const Node & node = nodes_[id];
        require(node.computed == 0 || node.lease != no_seq, "tokens computed where no state is");
        if (node.parent != no_node) stateless[node.parent] += node.leases.empty();
    }
    for (NodeId id = 0; id < nodes_.size(); ++id) {
        require(dead[id] || nodes_[id].stateless == stateless[id], "children without a state do not add up");
    }
    for (const Lease & lease : leases_) {
        const int64_t length = lease.node == no_node ? 0 : nodes_[lease.node].start + nodes_[lease.node].computed;
        require((lease.cells ? lease.cells->length() : 0) == length, "a state's cells are not as long as its path");
    }
}

}  // namespace thinktree
