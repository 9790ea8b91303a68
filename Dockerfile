# hadolint global ignore=DL3008
# (DL3008: Debian's own archive pins what apt installs; a version here would go stale)
FROM debian:bookworm-slim AS build
ENV DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python3 -m venv /opt/sohoa \
    && /opt/sohoa/bin/pip install -q --no-deps --require-hashes -r requirements-build.lock -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY dossier dossier
COPY hsm hsm
COPY ocr ocr
COPY signer signer
COPY sohoa sohoa
RUN /opt/sohoa/bin/pip install -q --no-deps --no-build-isolation . \
    && /opt/sohoa/bin/pip uninstall -q -y setuptools

FROM debian:bookworm-slim
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3 tesseract-ocr tesseract-ocr-vie tesseract-ocr-eng tesseract-ocr-osd \
        libsofthsm2 poppler-utils tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin sohoa \
    && install -d -o sohoa -g sohoa -m 0700 /data
COPY --from=build /opt/sohoa /opt/sohoa
ENV PATH=/opt/sohoa/bin:$PATH SOHOA_DATA=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER sohoa
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["sohoa"]
CMD ["serve"]
