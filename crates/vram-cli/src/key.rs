//! The secrets that a run is given: what the seal key is made of, and the key that signs.

mod signing;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use vram_residency::{Manager, ManagerBuilder, Secret, SecretForm, SecretSource};
use vram_seal::{SealKeyId, SecretBytes, Token, WorkerId};

pub(crate) use self::signing::SigningKeyOptions;
use crate::exit::Misused;

/// The worker that a seal key is derived for, unless said otherwise.
const WORKER: &str = "vram-cli";

/// What the seal key is made of.
///
/// At most one of the eight sources is given; the parser sees to that.
#[derive(Debug, Args)]
#[command(next_help_heading = "Seal key")]
pub(crate) struct KeyOptions {
    /// Derive the seal key from the token in this file, of 32 to 4096 bytes. It has to be a regular file of this user,
    /// not a link, that nobody else may read or write. By default the key is derived from random bytes, and gone at
    /// the end.
    #[arg(long, value_name = "FILE", group = "secret")]
    token_file: Option<PathBuf>,
    /// The same from a variable of the environment. It stays there: programs started from here inherit it.
    #[arg(long, value_name = "NAME", group = "secret")]
    token_env: Option<String>,
    /// The same from a file descriptor that was opened for this: 0, or 3 and up.
    #[arg(long, value_name = "N", group = "secret")]
    token_fd: Option<i32>,
    /// The same from a credential of a systemd service, by its name.
    #[arg(long, value_name = "NAME", group = "secret")]
    token_credential: Option<String>,
    /// Seal with the key in this file as it is, of 32 to 4096 bytes, for whatever worker and device. As for
    /// --token-file, nobody else may have access to it.
    #[arg(long, value_name = "FILE", group = "secret", conflicts_with = "worker")]
    key_file: Option<PathBuf>,
    /// The same from a variable of the environment.
    #[arg(long, value_name = "NAME", group = "secret", conflicts_with = "worker")]
    key_env: Option<String>,
    /// The same from a file descriptor.
    #[arg(long, value_name = "N", group = "secret", conflicts_with = "worker")]
    key_fd: Option<i32>,
    /// The same from a credential of a systemd service.
    #[arg(long, value_name = "NAME", group = "secret", conflicts_with = "worker")]
    key_credential: Option<String>,
    /// How bytes stand for a token or a key, wherever they come from.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    secret_form: Form,
    /// The worker that the key is derived for: 1 to 256 of the characters a-z A-Z 0-9 - _ . : The default is vram-cli.
    #[arg(long, value_name = "NAME")]
    worker: Option<WorkerId>,
    /// Accept what was sealed with the key of the token in this file, until --previous-until. May be given several
    /// times.
    #[arg(long, value_name = "FILE", requires = "previous_until")]
    previous_token_file: Vec<PathBuf>,
    /// Accept what was sealed with the key in this file, until --previous-until. May be given several times.
    #[arg(long, value_name = "FILE", requires = "previous_until")]
    previous_key_file: Vec<PathBuf>,
    /// Until when previous keys are accepted, in UTC, such as 2026-12-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    previous_until: Option<Timestamp>,
    /// What a descriptor gave, until it is taken.
    #[arg(skip)]
    from_descriptor: Mutex<Option<Secret>>,
}

/// How bytes stand for a secret.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// As they are, less one line break at their end, which editors add.
    #[default]
    Text,
    /// As they are, all of them: for files of random bytes.
    Raw,
    /// Hexadecimal digits, two a byte, less one line break at their end.
    Hex,
}

impl From<Form> for SecretForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Text => Self::Text,
            Form::Raw => Self::Raw,
            Form::Hex => Self::Hexadecimal,
        }
    }
}

/// What the seal key was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// Random bytes, gone at the end of the run.
    Random,
    /// A token that was given.
    Token,
    /// A key that was given.
    Key,
}

/// The secrets of a run, read.
#[derive(Debug)]
pub(crate) struct Secrets {
    origin: Origin,
    present: Secret,
    previous: Vec<(Secret, SystemTime)>,
}

/// What documents say of the seal key.
#[derive(Serialize)]
pub(crate) struct SealKeyDocument {
    id: SealKeyId,
    origin: Origin,
    /// Whether its page is locked into memory.
    locked: bool,
    /// Whether its page is left out of core dumps.
    kept_from_dumps: bool,
    /// Whether a forked child goes without it.
    kept_from_forks: bool,
    /// Keys that were replaced and are still accepted.
    previous: Vec<PreviousDocument>,
}

#[derive(Serialize)]
struct PreviousDocument {
    id: SealKeyId,
    until: String,
}

impl KeyOptions {
    /// Reads the secret if it comes from a descriptor, before anything is opened here that could get its number.
    pub(crate) fn read_descriptor(&self) -> anyhow::Result<()> {
        if self.token_fd.or(self.key_fd).is_some() {
            let (_, secret) = self.present(self.secret_form.into())?;
            *self.descriptor_secret() = Some(secret);
        }
        Ok(())
    }

    fn descriptor_secret(&self) -> MutexGuard<'_, Option<Secret>> {
        let secret = self.from_descriptor.lock();
        secret.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the secrets that the options name.
    pub(crate) fn read(&self) -> anyhow::Result<Secrets> {
        let form = self.secret_form.into();
        let read = self.descriptor_secret().take();
        let (origin, present) = match read {
            Some(secret @ Secret::Key(_)) => (Origin::Key, secret),
            Some(secret) => (Origin::Token, secret),
            None => self.present(form)?,
        };
        Ok(Secrets {
            origin,
            present,
            previous: self.previous(form)?,
        })
    }

    fn present(&self, form: SecretForm) -> anyhow::Result<(Origin, Secret)> {
        if let Some(source) = self.token_source() {
            Ok((Origin::Token, self.token_of(source.token(form)?)?))
        } else if let Some(source) = self.key_source() {
            Ok((Origin::Key, Secret::Key(source.seal_key(form)?)))
        } else {
            Ok((Origin::Random, self.token_of(random_token()?)?))
        }
    }

    fn token_source(&self) -> Option<SecretSource> {
        source(
            self.token_file.as_deref(),
            self.token_env.as_deref(),
            self.token_fd,
            self.token_credential.as_deref(),
        )
    }

    fn key_source(&self) -> Option<SecretSource> {
        source(
            self.key_file.as_deref(),
            self.key_env.as_deref(),
            self.key_fd,
            self.key_credential.as_deref(),
        )
    }

    fn token_of(&self, token: Token) -> anyhow::Result<Secret> {
        let worker = self.worker.clone();
        let worker = worker.map_or_else(|| WORKER.parse(), Ok)?;
        Ok(Secret::token(token, worker))
    }

    fn previous(&self, form: SecretForm) -> anyhow::Result<Vec<(Secret, SystemTime)>> {
        let Some(until) = self.previous_until else {
            return Ok(Vec::new());
        };
        let until = SystemTime::from(until);
        let mut previous = Vec::new();
        for path in &self.previous_token_file {
            let token = SecretSource::File(path.clone()).token(form)?;
            previous.push((self.token_of(token)?, until));
        }
        for path in &self.previous_key_file {
            let key = SecretSource::File(path.clone()).seal_key(form)?;
            previous.push((Secret::Key(key), until));
        }
        if previous.is_empty() {
            let what = "--previous-until says how long a previous key is accepted; give \
                --previous-token-file or --previous-key-file as well";
            return Err(Misused(what.to_owned()).into());
        }
        Ok(previous)
    }
}

impl Secrets {
    /// What the key is made of.
    pub(crate) const fn origin(&self) -> Origin {
        self.origin
    }

    /// A manager with these keys.
    pub(crate) fn for_manager(self, builder: ManagerBuilder) -> ManagerBuilder {
        let previous = self.previous.into_iter();
        previous.fold(builder.secret(self.present), |builder, (secret, until)| {
            builder.previous(secret, until)
        })
    }
}

impl SealKeyDocument {
    /// The key that a manager seals with.
    pub(crate) fn new(manager: &Manager, origin: Origin) -> Self {
        let protection = manager.key_protection();
        let shown = |(id, until)| PreviousDocument {
            id,
            until: shown_time(until),
        };
        Self {
            id: manager.key_id(),
            origin,
            locked: protection.locked,
            kept_from_dumps: protection.kept_from_dumps,
            kept_from_forks: protection.kept_from_forks,
            previous: manager.previous_keys().into_iter().map(shown).collect(),
        }
    }

    /// The same in words.
    pub(crate) fn line(&self) -> String {
        let origin = match self.origin {
            Origin::Random => "of random bytes, gone at the end",
            Origin::Token => "derived from the token",
            Origin::Key => "as it was given",
        };
        let locked = if self.locked {
            "locked into memory"
        } else {
            "not locked into memory, which the system did not permit"
        };
        format!("{}, {origin}, {locked}", self.id)
    }
}

fn shown_time(since_1970: std::time::Duration) -> String {
    SystemTime::UNIX_EPOCH
        .checked_add(since_1970)
        .and_then(|time| Timestamp::try_from(time).ok())
        .map_or_else(|| "for ever".to_owned(), |time| time.to_string())
}

/// The one source that is given, if one is.
fn source(
    file: Option<&Path>,
    environment: Option<&str>,
    descriptor: Option<i32>,
    credential: Option<&str>,
) -> Option<SecretSource> {
    let file = file.map(|path| SecretSource::File(path.to_owned()));
    let environment = environment.map(|name| SecretSource::Environment(name.to_owned()));
    let credential = credential.map(|name| SecretSource::Credential(name.to_owned()));
    file.or(environment)
        .or(descriptor.map(SecretSource::Descriptor))
        .or(credential)
}

/// A token that nobody has had before.
pub(crate) fn random_token() -> anyhow::Result<Token> {
    let mut bytes = SecretBytes::zeroed(Token::MIN_LEN)?;
    SystemRandom::new()
        .fill(bytes.expose_mut()?)
        .ok()
        .context("the system gave no random bytes for a token")?;
    Ok(Token::from_secret(bytes)?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        keys: KeyOptions,
    }

    fn parsed(arguments: &[&str]) -> Result<KeyOptions, clap::Error> {
        let words = ["vram"].iter().chain(arguments);
        Command::try_parse_from(words).map(|command| command.keys)
    }

    #[test]
    fn without_a_source_the_key_is_random_and_another_each_time() {
        let secrets = || parsed(&[]).unwrap().read().unwrap();
        assert_eq!(secrets().origin(), Origin::Random);
        assert!(secrets().previous.is_empty());
    }

    #[test]
    fn two_sources_are_a_usage_error() {
        let options = [
            "--token-file=a",
            "--token-env=A",
            "--token-fd=3",
            "--token-credential=a",
            "--key-file=a",
            "--key-env=A",
            "--key-fd=3",
            "--key-credential=a",
        ];
        for (at, one) in options.iter().enumerate() {
            parsed(&[one]).unwrap();
            for other in &options[at + 1..] {
                parsed(&[one, other]).unwrap_err();
            }
        }
        // A worker is of a token: a key is as it is.
        for key in &options[4..] {
            parsed(&[key, "--worker=a"]).unwrap_err();
        }
        parsed(&["--token-env=A", "--worker=a"]).unwrap();
    }

    #[test]
    fn a_previous_key_and_its_time_are_given_together() {
        parsed(&["--previous-token-file=a"]).unwrap_err();
        let alone = parsed(&["--previous-until=2030-01-01T00:00:00Z"]).unwrap();
        assert!(alone.read().unwrap_err().is::<Misused>());
        parsed(&["--previous-until=tomorrow", "--previous-key-file=a"]).unwrap_err();
        let both = [
            "--previous-until=2030-01-01T00:00:00Z",
            "--previous-key-file=a",
            "--previous-token-file=b",
            "--previous-token-file=c",
        ];
        parsed(&both).unwrap();
    }
}
