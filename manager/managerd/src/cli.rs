//! The command line: what it may say, and the commands that need no server.

use std::{
    env,
    io::{self, BufRead, IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use manager_core::enrolment::LIFETIME;
use webkit::{login::ADMINISTRATOR, password, text::Lang};

use crate::{
    agent_toml,
    service::{self, House},
};

/// Manager of Druckwart: takes the reports of agents and shows the printers of a fleet.
#[derive(Debug, Parser)]
#[command(name = "manager", version, after_help = EXAMPLES)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "Examples:
  manager                                          run, data in ./manager-data, pages on https://localhost:8443
  manager --data /srv/druckwart --listen 0.0.0.0:443 --url https://manager.example
  manager agent-toml --customer 'Example Ltd' --site 'Head office' > agent.toml
  manager passwd                                   set the administrator's password";

#[derive(Debug, Args)]
struct Options {
    /// Folder of database, key and certificate [default: $STATE_DIRECTORY, else ./manager-data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen for agents and browsers (HTTPS; plain HTTP is redirected)
    #[arg(long, global = true, value_name = "ADDR:PORT", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// Address under which agents reach this manager; it is remembered [default: https://HOSTNAME:PORT]
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Log more
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the manager (also without any command)
    Run,
    /// Set the administrator's password, also when it is lost: asks, or reads one line from standard input
    Passwd,
    /// Print an agent.toml for a new agent; customer and site are made where missing. Works while the manager runs
    AgentToml {
        /// Name of the customer
        #[arg(long)]
        customer: String,
        /// Name of the customer's site
        #[arg(long)]
        site: String,
    },
}

impl CommandLine {
    /// Whether more is to be logged.
    pub fn is_verbose(&self) -> bool {
        self.options.verbose
    }
}

/// Does what the command line says.
pub fn run(command_line: CommandLine) -> anyhow::Result<()> {
    let CommandLine { command, options } = command_line;
    let data = options.data.unwrap_or_else(default_data);
    let url = options.url.as_deref().map(service::parse_url).transpose()?;
    match command.unwrap_or(Command::Run) {
        Command::Run => service::run(&data, options.listen, url),
        Command::Passwd => set_password(&data),
        Command::AgentToml { customer, site } => print_agent_toml(&data, &customer, &site, url),
    }
}

fn default_data() -> PathBuf {
    let from_systemd = env::var_os("STATE_DIRECTORY");
    let first = from_systemd.as_deref().and_then(|list| env::split_paths(list).next());
    first.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(|| PathBuf::from("manager-data"))
}

fn set_password(data: &Path) -> anyhow::Result<()> {
    let store = service::open_store(data)?;
    let password = match io::stdin().is_terminal() {
        true => ask_password()?,
        false => {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if let Err(weakness) = password::check_new(&password, ADMINISTRATOR) {
        bail!("{}", weakness.message(Lang::En));
    }
    let hash = password::hash(&password)?;
    if !store.create_first_administrator(ADMINISTRATOR, &hash)? {
        store.set_password(ADMINISTRATOR, &hash)?;
    }
    eprintln!("The password of {ADMINISTRATOR} is set. Whoever was logged in under that name is logged out.");
    Ok(())
}

fn ask_password() -> anyhow::Result<String> {
    let ask = |prompt: &str| rpassword::prompt_password(prompt).context("cannot read the password from the terminal");
    let password = ask("New password of admin: ")?;
    if ask("The same again: ")? != password {
        bail!("The two passwords differ; nothing was changed.");
    }
    Ok(password)
}

fn print_agent_toml(data: &Path, customer: &str, site: &str, url: Option<String>) -> anyhow::Result<()> {
    let house = House::open(data)?;
    let customer = service::parse_name(customer).context("--customer")?;
    let site = service::parse_name(site).context("--site")?;
    let now = Timestamp::now();
    let url = match url {
        Some(url) => url,
        None => house.agent_url()?,
    };
    let scope = house.store.own_scope("manager agent-toml")?;
    let row = house.store.find_or_create_site(&scope, &customer, &site)?;
    let code = agent_toml::make_code(&house.store, &scope, row, house.certificate.spki_sha256(), now)?;
    print!("{}", agent_toml::render(&customer, &site, &url, &code));
    io::stdout().flush().context("cannot write agent.toml to standard output")?;
    let days = LIFETIME.as_hours() / 24;
    eprintln!("The code admits one agent at {url} within {days} days.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
        let options = CommandLine::try_parse_from(["manager", "--listen", "127.0.0.1:0"]).unwrap().options;
        assert_eq!(options.listen.port(), 0);
        let after = CommandLine::try_parse_from(["manager", "run", "--listen", "127.0.0.1:0", "--data", "x"]).unwrap();
        assert_eq!(after.options.data, Some(PathBuf::from("x")));
        assert!(CommandLine::try_parse_from(["manager", "--listen", "nonsense"]).is_err());
        assert!(CommandLine::try_parse_from(["manager", "agent-toml", "--site", "x"]).is_err());
    }
}
