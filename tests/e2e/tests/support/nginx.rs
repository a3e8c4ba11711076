//! nginx as a process, in front of a server.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::until;

/// A running nginx. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    child: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts it in front of a server, with more lines for its configuration, and all else as it is by default.
    pub(crate) fn start(server: SocketAddr, lines: &str) -> Self {
        // Where nothing else of these tests listens or connects from, so that it stays free.
        let free = TcpListener::bind("127.0.0.3:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let folder = TempDir::new().expect("a folder");
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\n\
             events {{}}\n\
             http {{\n\
             access_log off;\n\
             client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
             uwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n\
             server {{\nlisten {address};\n{lines}\nlocation / {{ proxy_pass http://{server}; }}\n}}\n\
             }}\n"
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, configuration).expect("a configuration");
        // Where Debian has it, which is not in the path of every user.
        let debian = Path::new("/usr/sbin/nginx");
        let program = if debian.exists() {
            debian
        } else {
            Path::new("nginx")
        };
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&path)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("no nginx (apt-get install nginx): {error}"));
        // From here on it is killed, also when it never listens.
        let mut nginx = Self {
            address,
            child,
            folder,
        };
        until("nginx listens", || {
            let ended = nginx.child.try_wait().expect("it is a child");
            let log = || fs::read_to_string(nginx.folder.path().join("error.log"));
            assert!(ended.is_none(), "nginx ends: {:?}", log());
            TcpStream::connect(address).map_err(|error| error.to_string())
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
