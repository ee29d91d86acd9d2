"""Settings of the blob store: where the octets of large messages are kept."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from mailraven.config.section import Section
from mailraven.config.units import Seconds, Size


class S3Config(Section):
    """An S3 service (used when blobs.kind is s3)."""

    endpoint: str = ""
    """Host and port of the service, such as s3.eu-central-1.amazonaws.com or minio:9000."""
    bucket: str = "mailraven"
    """The bucket; it has to exist, but for create_bucket."""
    create_bucket: bool = False
    """Make the bucket when it is missing; for a service of your own."""
    prefix: str = ""
    """Put before every key, so that several installations can share a bucket."""
    region: str = ""
    """The region, where the service wants one."""
    secure: bool = True
    """Whether to use TLS."""
    credentials: Literal["keys", "workload"] = "keys"
    """`keys`: access_key and secret_key. `workload`: what the platform gives the process, renewed by itself: a web
    identity token (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, as on EKS), a container's credentials
    (AWS_CONTAINER_CREDENTIALS_FULL_URI), or those of the machine."""
    sts_endpoint: str = ""
    """The URL where `workload` changes its token into keys; empty: that of AWS for AWS_REGION."""
    access_key: str = ""
    """The access key id."""
    secret_key: SecretStr | None = None
    """The secret access key."""
    secret_key_file: Path | None = None
    """A file that holds the secret access key, instead of blobs.s3.secret_key."""
    timeout: Seconds = 30.0
    """How long a request may take."""
    threads: int = Field(default=8, ge=1, le=64)
    """Threads of a process that talk to the service."""


class BlobsConfig(Section):
    """Message octets above inline_max are stored here, smaller ones in Postgres."""

    kind: Literal["file", "s3"] = "file"
    """A directory or an S3 bucket. Several hosts need S3 or a shared directory."""
    directory: Path = Path("blobs")
    """The directory (blobs.kind file); `mailraven up` uses DATA/blobs."""
    inline_max: Size = Field(default=32768, le=1024 * 1024)
    """Messages up to this size are kept in Postgres, durable in the commit that delivers them."""
    s3: S3Config = S3Config()
