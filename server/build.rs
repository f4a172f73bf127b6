//! Builds the server's half of the gRPC services on the messages of `yomitori-proto`.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../proto/yomitori");
    println!("cargo::rerun-if-changed=migrations");
    let contracts =
        protox::compile(["../proto/yomitori/v1/uplink.proto", "../proto/yomitori/v1/enrol.proto"], ["../proto"])?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(true)
        .extern_path(".yomitori.v1", "::yomitori_proto::wire")
        .compile_fds(contracts)?;
    Ok(())
}
