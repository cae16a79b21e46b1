//! The account's session: one device, stored in one folder, used by one process.
//!
//! Files: `session.json` (account and device), `key` (32 bytes that encrypt the store), `lock`, and the store's folder.
//! They belong together: if one is missing, a new device logs in. Each store has its own name, because a failed login
//! may still be closing the files of the previous one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::config::{RequestConfig, SyncSettings};
use matrix_sdk::encryption::{BackupDownloadStrategy, EncryptionSettings};
use matrix_sdk::ruma::api::client::filter::FilterDefinition;
use matrix_sdk::ruma::{RoomId, uint};
use matrix_sdk::{Client, Room, SessionTokens, SqliteStoreConfig};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use tokio::sync::mpsc;

use super::failure::{from_sdk, from_setup};
use super::hear::{SyncEvent, hear};
use super::settings::{MatrixSettings, SESSION_FILE};
use super::{login, offer};
use crate::channel::{Scope, SendError};

type CallbackError = Box<dyn std::error::Error + Send + Sync>;

/// How often the SDK repeats a request that sends nothing.
const RETRIES_MAX: usize = 3;
/// The wait if another process holds the lock.
const LOCKED_FOR: Duration = Duration::from_mins(1);
const KEY_BYTES: usize = 32;
/// The prefix of the stores' names.
const STORE: &str = "store-";

/// A session as stored in its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SavedSession {
    /// Its address.
    pub(super) homeserver: String,
    pub(super) session: MatrixSession,
    /// The id of the program at the OAuth server; `None` if the login was not by OAuth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    /// The name of the store's folder.
    store: String,
    /// When this device logged in, unix seconds.
    since: i64,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    /// When this device logged in, unix seconds. The server knows no transaction ids of other devices.
    pub(super) since: i64,
    /// The queue of received events, for the listener.
    pub(super) heard: tokio::sync::Mutex<mpsc::Receiver<SyncEvent>>,
    /// Held during a sync. Two at once would be processed out of order.
    syncing: tokio::sync::Mutex<()>,
    /// Held as long as the session.
    _lock: File,
}

impl Session {
    /// Syncs. The server may hold the request open for `wait`.
    pub(super) async fn sync(&self, wait: Duration) -> Result<(), SendError> {
        let _syncing = self.syncing.lock().await;
        self.ask(wait).await
    }

    /// Syncs once, unless a listener does so all the time.
    pub(super) async fn catch_up(&self) -> Result<(), SendError> {
        match self.syncing.try_lock() {
            Ok(_syncing) => self.ask(Duration::ZERO).await,
            Err(_) => Ok(()),
        }
    }

    async fn ask(&self, wait: Duration) -> Result<(), SendError> {
        sync_once(&self.client, wait).await
    }

    /// Joins a room, and syncs so that its members and its encryption are known.
    pub(super) async fn join(&self, room: &RoomId) -> Result<Room, SendError> {
        let joined = self.client.join_room_by_id(room).await.map_err(from_sdk)?;
        self.sync(Duration::ZERO).await?;
        Ok(joined)
    }

    /// Whether the account signed this device.
    pub(super) async fn is_trusted(&self) -> bool {
        let device = self.client.encryption().get_own_device().await;
        let device = device.ok().flatten();
        device.is_some_and(|device| device.is_cross_signed_by_owner())
    }
}

async fn sync_once(client: &Client, wait: Duration) -> Result<(), SendError> {
    let mut filter = FilterDefinition::with_lazy_loading();
    // Enough for messages sent while the program was down.
    filter.room.timeline.limit = Some(uint!(50));
    let settings = SyncSettings::new().filter(filter.into()).timeout(wait);
    let synced = client.sync_once(settings).boxed().await;
    synced.map(drop).map_err(from_sdk)
}

/// Opens the saved session or logs in, and syncs once.
pub(super) async fn open(settings: &MatrixSettings) -> Result<Session, SendError> {
    let folder = &settings.folder;
    let mut make = fs::DirBuilder::new();
    let made = make.recursive(true).mode(0o700).create(folder);
    made.map_err(|error| unusable(folder, &error))?;
    let lock = lock(folder)?;
    let kept = read_kept(folder).map_err(|error| unusable(folder, &error))?;
    check_owner(settings, kept.as_ref())?;
    let is_whole =
        |kept: &SavedSession| folder.join("key").exists() && folder.join(&kept.store).exists();
    let kept = kept.filter(is_whole);
    if kept.is_none() {
        settings.login_way()?;
        start_anew(folder).map_err(|error| unusable(folder, &error))?;
    }
    let key = key(folder).map_err(|error| unusable(folder, &error))?;
    let store = match &kept {
        Some(kept) => kept.store.clone(),
        None => format!("{STORE}{:016x}", fastrand::u64(..)),
    };
    let homeserver = match &kept {
        // The address that a server's name had at the login.
        Some(kept) if settings.names_server() => kept.homeserver.clone(),
        _ => offer::address(settings).await?,
    };
    let client = build(settings, &homeserver, &folder.join(&store), &key).await?;
    let is_new = kept.is_none();
    let kept = match kept {
        Some(kept) => {
            let client_id = kept.client_id.clone();
            login::restore(&client, kept.session.clone(), client_id).await?;
            kept
        }
        None => log_in(&client, settings, homeserver, store).await?,
    };
    let since = kept.since;
    keep_tokens(&client, folder, kept)?;
    let encryption = client.encryption();
    encryption.wait_for_e2ee_initialization_tasks().await;
    if is_new {
        // A new device's first sync brings old messages, which need no answers.
        sync_once(&client, Duration::ZERO).await?;
    }
    let heard = hear(&client);
    let session = Session {
        client,
        since,
        heard: tokio::sync::Mutex::new(heard),
        syncing: tokio::sync::Mutex::default(),
        _lock: lock,
    };
    session.sync(Duration::ZERO).await?;
    if !session.is_trusted().await {
        warn!(
            "Matrix: this device is not signed by its account. Clients show a warning, and some refuse its \
             messages. Run: bpfnews matrix recover"
        );
    }
    Ok(session)
}

/// Reads the saved session, to log its device out; `None` if there is none.
pub(super) fn read_saved(settings: &MatrixSettings) -> Result<Option<SavedSession>, SendError> {
    let folder = &settings.folder;
    if !settings.is_logged_in() {
        return Ok(None);
    }
    let _lock = lock(folder)?;
    let kept = read_kept(folder).map_err(|error| unusable(folder, &error))?;
    check_owner(settings, kept.as_ref())?;
    Ok(kept)
}

/// Deletes the saved session with its keys.
pub(super) fn forget(settings: &MatrixSettings) -> Result<(), SendError> {
    let folder = &settings.folder;
    if !settings.is_logged_in() {
        return Ok(());
    }
    let _lock = lock(folder)?;
    start_anew(folder).map_err(|error| unusable(folder, &error))
}

/// Refuses a folder of another account, so that a misspelt name does not delete its keys.
fn check_owner(settings: &MatrixSettings, kept: Option<&SavedSession>) -> Result<(), SendError> {
    let Some(kept) = kept else { return Ok(()) };
    let owner = &kept.session.meta.user_id;
    match owner.as_str().eq_ignore_ascii_case(&settings.user) {
        true => Ok(()),
        false => Err(SendError::Never {
            scope: Scope::Platform,
            why: format!(
                "{} holds the session of {owner}, not of {}: set another folder under [matrix], or move that one away",
                settings.folder.display(),
                settings.user
            ),
        }),
    }
}

async fn build(
    settings: &MatrixSettings,
    homeserver: &str,
    store: &Path,
    key: &[u8; KEY_BYTES],
) -> Result<Client, SendError> {
    let store = SqliteStoreConfig::with_low_memory_config(store);
    let encryption = EncryptionSettings {
        auto_enable_cross_signing: true,
        auto_enable_backups: true,
        backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
    };
    let requests = RequestConfig::new()
        .retry_limit(RETRIES_MAX)
        .timeout(settings.request_max);
    let client = Client::builder()
        .homeserver_url(homeserver)
        .handle_refresh_tokens()
        .sqlite_store_with_config_and_cache_path(store.key(Some(key)), None::<&Path>)
        .user_agent(concat!("bpfnews/", env!("CARGO_PKG_VERSION")))
        .request_config(requests)
        .with_encryption_settings(encryption)
        .build();
    client.await.map_err(from_setup)
}

async fn log_in(
    client: &Client,
    settings: &MatrixSettings,
    homeserver: String,
    store: String,
) -> Result<SavedSession, SendError> {
    let way = settings.login_way()?;
    let new = login::log_in(client, settings, &homeserver, &way).await?;
    let meta = &new.session.meta;
    info!(
        "Matrix: logged in as {}, device {}",
        meta.user_id, meta.device_id
    );
    // An OAuth token may have been refreshed already.
    let tokens = client.session_tokens();
    let kept = SavedSession {
        homeserver,
        session: MatrixSession {
            tokens: tokens.unwrap_or(new.session.tokens),
            meta: new.session.meta,
        },
        client_id: new.client_id,
        store,
        since: (settings.now)(),
    };
    let folder = &settings.folder;
    save(folder, &kept).map_err(|error| unusable(folder, &error))?;
    Ok(kept)
}

fn save(folder: &Path, kept: &SavedSession) -> io::Result<()> {
    write_secret(&folder.join(SESSION_FILE), &serde_json::to_vec(kept)?)
}

/// Saves refreshed tokens as soon as the server gives them: the old ones may not be valid any more.
fn keep_tokens(client: &Client, folder: &Path, kept: SavedSession) -> Result<(), SendError> {
    let folder = folder.to_owned();
    let saves = move |client: Client| -> Result<(), CallbackError> {
        let mut kept = kept.clone();
        kept.session.tokens = client.session_tokens().ok_or("there are no tokens")?;
        save(&folder, &kept)?;
        Ok(())
    };
    // Only one process uses the session, so no other one refreshes it.
    let reads = |_: Client| -> Result<SessionTokens, CallbackError> {
        Err("the session is in memory".into())
    };
    let set = client.set_session_callbacks(Box::new(reads), Box::new(saves));
    set.map_err(from_sdk)
}

fn lock(folder: &Path) -> Result<File, SendError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| unusable(folder, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SendError::Later {
            after: LOCKED_FOR,
            scope: Scope::Platform,
            why: format!("another bpfnews uses {}", folder.display()),
        }),
        Err(TryLockError::Error(error)) => Err(unusable(folder, &error)),
    }
}

/// Reads the saved session. `None` if the file is damaged: a login replaces it.
fn read_kept(folder: &Path) -> io::Result<Option<SavedSession>> {
    let path = folder.join(SESSION_FILE);
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)
            .inspect_err(|error| warn!("{}: {error}; logging in again", path.display()))
            .ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes the session and the keys together: one without the other makes a device that nobody can read.
fn start_anew(folder: &Path) -> io::Result<()> {
    for name in [SESSION_FILE, "key"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STORE) {
            // A store that is still being closed stays until the next login. It is unreadable without its key.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

fn key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = folder.join("key");
    if let Ok(bytes) = fs::read(&path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    write_secret(&path, &key)?;
    Ok(key)
}

/// Writes a file atomically, readable by its owner only.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut open = OpenOptions::new();
    let mut file = open
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn unusable(folder: &Path, error: &io::Error) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why: format!(
            "{} cannot be used ({error}): it must be a folder that bpfnews may write to",
            folder.display()
        ),
    }
}
