//! From a server's embedded files to an image. Its tag is made from the files, so an unchanged one is built once.
//!
//! The daemon is asked directly: testcontainers' own `build_image` sends the build's output to the `log` crate only, and
//! a failed build without its output leaves the user with an exit code.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures_util::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::body_full;
use testcontainers::bollard::errors::Error as DockerError;
use testcontainers::bollard::models::{BuildInfo, BuildInfoAux};
use testcontainers::bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion};

use crate::error::{StartError, last_lines};
use crate::servers::Server;

/// The name of every server's image, before the colon.
pub(crate) fn repository(server: &Server) -> String {
    format!("loginspec-{}", server.name)
}

/// Builds the image of a server unless it is there, and returns its tag.
pub(crate) async fn build_if_absent(docker: &Docker, server: &Server) -> Result<String, StartError> {
    let tag = tag(server);
    let image = format!("{}:{tag}", repository(server));
    match docker.inspect_image(&image).await {
        Ok(_) => Ok(tag),
        Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => {
            build(docker, server, &image).await?;
            Ok(tag)
        }
        Err(error) => Err(StartError::daemon(format!("look for the image {image}"), error)),
    }
}

async fn build(docker: &Docker, server: &Server, image: &str) -> Result<(), StartError> {
    let mut output = String::new();
    let failed = |reason: String, output: &str| StartError::ImageBuild {
        name: server.name.to_owned(),
        reason,
        output: last_lines(output),
    };
    let context = build_context(server).map_err(|error| failed(error.to_string(), ""))?;
    let options = BuildImageOptionsBuilder::new()
        .t(image)
        .rm(true)
        .version(BuilderVersion::BuilderBuildKit)
        // BuildKit wants a session, even one that nobody attends: only pulling from a private registry would ask it.
        .session(&format!("loginspec-{}", std::process::id()))
        .build();
    let mut steps = docker.build_image(options, None, Some(body_full(context.into())));
    while let Some(step) = steps.next().await {
        match step {
            Ok(info) => output.push_str(&printed(&info)),
            Err(error) => return Err(failed(error.to_string(), &output)),
        }
    }
    Ok(())
}

fn printed(info: &BuildInfo) -> String {
    match &info.aux {
        Some(BuildInfoAux::BuildKit(status)) => {
            let steps = status.vertexes.iter().filter(|step| step.started.is_some() && step.completed.is_none());
            let names = steps.map(|step| format!("{}\n", step.name));
            let lines = status.logs.iter().map(|log| String::from_utf8_lossy(&log.msg).into_owned());
            names.chain(lines).collect()
        }
        _ => info.stream.clone().unwrap_or_default(),
    }
}

fn build_context(server: &Server) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in server.files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content)?;
    }
    archive.into_inner()
}

// Another version of Rust may hash otherwise: all that costs is one more build.
fn tag(server: &Server) -> String {
    let mut hasher = DefaultHasher::new();
    server.files.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers;

    #[test]
    fn the_tag_follows_the_files() {
        let server = servers::find("dovecot-2.4").unwrap();
        let changed = Server { name: server.name, files: &[("Dockerfile", b"FROM scratch")], target_file: "" };
        assert_eq!(tag(server), tag(server));
        assert_ne!(tag(server), tag(&changed));
    }
}
