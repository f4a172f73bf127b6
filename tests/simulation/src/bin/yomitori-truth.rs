//! `yomitori-truth`: the accuracy of the fold on histories with a known truth. See `truth/cli.rs`.

fn main() -> anyhow::Result<()> {
    yomitori_simulation::truth::cli::main()
}
