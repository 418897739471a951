"""Settings of where the lake lies."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from igtool.places import LakePlace, StoreAccess, conninfo, data_url


class LakeSettings(BaseSettings):
    """What concerns a lake whose catalog or data files lie elsewhere than in data/."""

    catalog: str | None = Field(
        None,
        description="PostgreSQL database with the catalog of the lake: `postgres:host=… dbname=… user=…` or "
        "`postgresql://user@host/database`, without password; by default the file data/catalog.sqlite",
    )
    catalog_password: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("catalog_password", "IGTOOL_CATALOG_PASSWORD", "PGPASSWORD"),
        description="password of that database",
    )
    data_path: str | None = Field(
        None,
        description="folder of the data files of the lake: `s3://bucket/prefix` or an absolute path; by default data/",
    )
    s3_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("s3_endpoint", "IGTOOL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        description="address of an object store of your own, such as https://store.example.com; by default Amazon's",
    )
    s3_region: str | None = Field(
        None,
        validation_alias=AliasChoices("s3_region", "IGTOOL_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="region of the bucket",
    )
    s3_key_id: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("s3_key_id", "IGTOOL_S3_KEY_ID", "AWS_ACCESS_KEY_ID"),
        description="id of the key of the object store; without one, what the AWS profile or role of this machine says",
    )
    s3_secret: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("s3_secret", "IGTOOL_S3_SECRET", "AWS_SECRET_ACCESS_KEY"),
        description="that key",
    )
    s3_session_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("s3_session_token", "IGTOOL_S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"),
        description="token that belongs to a key of limited time",
    )
    s3_path_style: bool | None = Field(
        None,
        description="whether the bucket is named in the path and not in the host; by default where s3_endpoint is set",
    )

    @field_validator("catalog")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        """A PostgreSQL database, as libpq's keywords."""
        return f"postgres:{conninfo(value)}" if value else None

    @field_validator("data_path")
    @classmethod
    def _files(cls, value: str | None) -> str | None:
        """A folder or a prefix of a bucket."""
        return data_url(value) if value else None

    @field_validator("s3_endpoint")
    @classmethod
    def _store(cls, value: str | None) -> str | None:
        """An address with scheme and host and nothing else."""
        if not value:
            return None
        parts = urlsplit(value)
        has_more = parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/")
        if parts.scheme not in ("http", "https") or not parts.hostname or has_more:
            raise ValueError("it must be https://HOST or http://HOST:PORT, and nothing more")
        return value.rstrip("/")

    def lake_in(self, folder: Path) -> LakePlace:
        """The lake that these settings name; ``folder`` is for what belongs to this machine."""
        if self.catalog is None and self.data_path is None:
            return LakePlace(folder)
        key, secret, token = (
            value.get_secret_value() if value else None
            for value in (self.s3_key_id, self.s3_secret, self.s3_session_token)
        )
        has_own_style = self.s3_endpoint is not None if self.s3_path_style is None else self.s3_path_style
        return LakePlace(
            folder,
            self.catalog.removeprefix("postgres:") if self.catalog else None,
            self.catalog_password.get_secret_value() if self.catalog_password else None,
            self.data_path,
            StoreAccess(key, secret, token, self.s3_region, self.s3_endpoint, has_own_style),
        )
