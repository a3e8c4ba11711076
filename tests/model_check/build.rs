fn main() {
    println!("cargo::rustc-cfg=sse_proto_shuttle");
    println!("cargo::rerun-if-changed=build.rs");
}
