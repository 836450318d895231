//! Media by URL: refused, or with `--allow-network` downloaded once and then read like any file.

use super::{Access, MediaError, MediaFault, facts, open::open_local};
use crate::{
    files,
    hub::{Network, http},
    private,
    value::Media,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};

/// The schemes that ffmpeg would open besides files.
const SCHEMES: &[&str] = &[
    "http",
    "https",
    "ftp",
    "sftp",
    "rtmp",
    "rtmps",
    "rtmpe",
    "rtmpt",
    "rtsp",
    "rtsps",
    "rtp",
    "srtp",
    "udp",
    "udplite",
    "tcp",
    "tls",
    "srt",
    "rist",
    "sctp",
    "hls",
    "httpproxy",
    "mmsh",
    "mmst",
    "gopher",
    "gophers",
    "data",
    "pipe",
    "fd",
    "file",
    "concat",
    "concatf",
    "subfile",
    "cache",
    "crypto",
    "async",
    "md5",
    "tee",
    "unix",
    "icecast",
    "bluray",
    "smb",
    "ipfs",
    "ipns",
    "zmq",
    "amqp",
    "amqps",
    "lavfi",
    "ffrtmphttp",
    "ffrtmpcrypt",
    "prompeg",
];

/// The scheme of a path that ffmpeg would take for an address (`http:`, `concat:`, `subfile,,start,0,:`, …).
pub(crate) fn scheme(path: &str) -> Option<&str> {
    let (before, after) = path.split_once(':')?;
    let scheme = before.split([',', '+']).next()?;
    let known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let like_one = scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    (known || (like_one && after.starts_with("//"))).then_some(scheme)
}

/// Opens an address, if the network access permits it.
pub(crate) async fn open(address: &str, access: &Access) -> Result<Arc<Media>, MediaError> {
    let refuse = |what: &str| Err(MediaError::new(MediaFault::Elsewhere, address, what));
    match scheme(address).map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https") => match access.network {
            Network::All => fetch(address, access).await,
            Network::Agents => refuse("is an address; only local files are read (allow it with --allow-network)"),
            Network::Off => refuse("is an address, and --offline refuses the network"),
        },
        Some("file") => refuse("give the plain path of the file, without `file:`"),
        _ => refuse("is not a local file; only local files are read"),
    }
}

/// Maximum number of redirects.
const MAX_REDIRECTS: usize = 10;
/// Maximum time without data from a server.
const SILENCE: Duration = Duration::from_secs(60);
/// Maximum size of one medium, in bytes.
const MAX_BYTES: u64 = 16 << 30;
/// A partial file that was not written to for this long belongs to a download that has ended.
const ABANDONED: Duration = Duration::from_secs(600);

/// The path of a medium's bytes in this folder, if the medium was downloaded.
pub(crate) fn kept_at(media: &Media, folder: &Path) -> Option<PathBuf> {
    let fetched = matches!(scheme(&media.path)?.to_ascii_lowercase().as_str(), "http" | "https")
        && !files::path(&media.path).exists();
    fetched.then(|| folder.join(&media.digest))
}

/// Removes the traces of a medium outside the memo: the downloaded copy, the cached digest and the facts of its file.
pub fn forget(path: &str, digest: &str, access: &Access) -> io::Result<()> {
    access.digests.forget(&files::path(path))?;
    gone(facts::forget(digest, &access.digests))?;
    access.fetched.as_ref().map_or(Ok(()), |folder| gone(fs::remove_file(folder.join(digest))))
}

/// Removes every downloaded copy, all facts of files, and partial digests of killed processes.
pub fn forget_all(access: &Access) -> io::Result<()> {
    access.digests.sweep();
    gone(facts::forget_all(&access.digests))?;
    access.fetched.as_ref().map_or(Ok(()), |folder| gone(fs::remove_dir_all(folder)))
}

/// Treats a missing file as removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Downloads `address` into the cache folder. The medium keeps the address as its path.
async fn fetch(address: &str, access: &Access) -> Result<Arc<Media>, MediaError> {
    let failed = |what: String| MediaError::new(MediaFault::Unreadable, address, what);
    let Some(folder) = &access.fetched else {
        return Err(failed("cannot be downloaded: this run has no cache folder".to_owned()));
    };
    private::private_folder(folder).map_err(|e| failed(format!("cannot be kept in {}: {e}", folder.display())))?;
    private::sweep_parts(folder, ABANDONED);
    let part =
        folder.join(format!("{}.part", blake3::hash(format!("{address} {}", std::process::id()).as_bytes()).to_hex()));
    let fetched = async {
        download(address, &part, MAX_BYTES).await.map_err(|e| failed(format!("cannot be downloaded: {e}")))?;
        open_local(&part, address, access).await
    };
    let media = match fetched.await {
        Ok(media) => media,
        Err(error) => {
            let _ = tokio::fs::remove_file(&part).await;
            return Err(error);
        }
    };
    let kept = folder.join(&media.digest);
    tokio::fs::rename(&part, &kept).await.map_err(|e| failed(format!("cannot be kept at {}: {e}", kept.display())))?;
    Ok(Arc::new(media))
}

/// Streams the body of `address` into `file`, at most `limit` bytes. Follows redirects.
async fn download(address: &str, file: &Path, limit: u64) -> Result<(), String> {
    let too_large = || format!("it is larger than {limit} bytes, the limit of a download");
    let mut address = address.to_owned();
    for _ in 0..MAX_REDIRECTS {
        let client = http::client(&address, Duration::from_secs(15))?;
        let answer = timeout(SILENCE, client.get(&address).send()).await.map_err(|_| silent())?;
        let mut answer = answer.map_err(|e| http::chain(&e))?;
        let status = answer.status();
        if status.is_redirection() {
            let to = answer.headers().get("location").and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| answer.url().join(to).ok()).filter(|to| matches!(to.scheme(), "http" | "https"));
            address = to.ok_or("it redirects without a valid address")?.to_string();
            continue;
        }
        if !status.is_success() {
            return Err(format!("the server answered {status}"));
        }
        if answer.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let file = private::private_file(file).and_then(|file| file.set_len(0).map(|()| file));
        let mut file = tokio::fs::File::from_std(file.map_err(|e| e.to_string())?);
        let mut received = 0;
        while let Some(piece) =
            timeout(SILENCE, answer.chunk()).await.map_err(|_| silent())?.map_err(|e| http::chain(&e))?
        {
            received += piece.len() as u64;
            if received > limit {
                return Err(too_large());
            }
            file.write_all(&piece).await.map_err(|e| e.to_string())?;
        }
        return file.flush().await.map_err(|e| e.to_string());
    }
    Err(format!("it redirects more than {MAX_REDIRECTS} times"))
}

/// The error for a server that sends no data.
fn silent() -> String {
    format!("the server sent no data for {} s", SILENCE.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_distinguished_from_file_names() {
        let check = |path: &str, expected: Option<&str>| assert_eq!(scheme(path), expected, "{path}");
        check("http://a/b.mp4", Some("http"));
        check("concat:a.mp4|b.mp4", Some("concat"));
        check("subfile,,start,0,end,9,,:a.mp4", Some("subfile"));
        check("crypto+file:a.mp4", Some("crypto"));
        check("FILE:a.mp4", Some("FILE"));
        check("data:video/mp4;base64,AAAA", Some("data"));
        check("pipe:0", Some("pipe"));
        check("anything://x", Some("anything"));
        check("Lecture 1: Plato.mp4", None);
        check("day.mp4", None);
        check("c:\\day.mp4", None);
    }

    #[tokio::test]
    async fn a_body_is_downloaded_through_redirects() {
        use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
        let server = MockServer::start().await;
        let moved = ResponseTemplate::new(302).insert_header("location", "/there");
        Mock::given(path("/here")).respond_with(moved).mount(&server).await;
        Mock::given(path("/there"))
            .respond_with(ResponseTemplate::new(200).set_body_bytes(vec![7; 100_000]))
            .mount(&server)
            .await;
        let inside = ResponseTemplate::new(302).insert_header("location", "file:///etc/passwd");
        Mock::given(path("/inside")).respond_with(inside).mount(&server).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let fetch = async |from: &str| download(&format!("{}{from}", server.uri()), &file, 100_000).await;
        assert_eq!(fetch("/here").await, Ok(()));
        assert_eq!(std::fs::read(&file).unwrap(), vec![7; 100_000]);
        let short = download(&format!("{}/there", server.uri()), &file, 99_999).await;
        assert_eq!(short.unwrap_err(), "it is larger than 99999 bytes, the limit of a download");
        assert_eq!(fetch("/inside").await.unwrap_err(), "it redirects without a valid address");
        assert_eq!(fetch("/nowhere").await.unwrap_err(), "the server answered 404 Not Found");
    }
}
