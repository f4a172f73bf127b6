//! Compiles the contracts into `wire`: messages only, the services are built where they are served or called.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=yomitori");
    let contracts =
        protox::compile(["yomitori/v1/event.proto", "yomitori/v1/uplink.proto", "yomitori/v1/enrol.proto"], ["."])?;
    prost_build::Config::new().compile_fds(contracts)?;
    Ok(())
}
