//! Times: every stream in every chunking, all decoders in one run.

fn main() {
    peers::compare_decoders();
}
