//! The `elenchus` program: calls the command line of the library.

fn main() -> std::process::ExitCode {
    elenchus::cli::main()
}
