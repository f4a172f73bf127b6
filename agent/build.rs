//! Generates the client half of the services; the messages come from the contract's crate.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../proto/yomitori");
    let contracts = protox::compile(["yomitori/v1/uplink.proto", "yomitori/v1/enrol.proto"], ["../proto"])?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(false)
        .extern_path(".yomitori.v1", "::yomitori_proto::wire")
        .compile_fds(contracts)?;
    Ok(())
}
