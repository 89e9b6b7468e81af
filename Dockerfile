# Kioku for servers: `kioku run` with a PostgreSQL elsewhere; the target `playground` holds all that
# `kioku up` needs instead. See docs/how-to/docker.md.

# The tag names the version for people; the digest decides. How to renew it: docs/how-to/docker.md.
FROM python:3.13-slim-trixie@sha256:9d2e5553305c7c7b0097999bb17187c69b921ccd6bc9d40e4bb5ebe652c00285 AS base

FROM base AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# What builds comes from a lock too: pip itself, and setuptools for Kioku's own package.
COPY deploy/image/requirements.lock ./build.lock
RUN python -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r build.lock
# Without pip: what is served needs none.
RUN python -m venv --without-pip /opt/kioku
COPY requirements.lock ./
RUN /opt/build/bin/python -m pip --python /opt/kioku/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE manifest.yml ./
COPY bot ./bot
COPY memory ./memory
RUN /opt/build/bin/python -m pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /src/wheel . \
    && /opt/build/bin/python -m pip --python /opt/kioku/bin/python install --no-deps --no-index /src/wheel/*.whl \
    && /opt/build/bin/python -m pip --python /opt/kioku/bin/python check

FROM build AS build-playground
COPY deploy/local/requirements.lock ./local.lock
RUN /opt/build/bin/python -m pip --python /opt/kioku/bin/python install --require-hashes --only-binary :all: -r local.lock
COPY packages ./packages
RUN /opt/build/bin/python -m pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /src/playground ./packages/* \
    && /opt/build/bin/python -m pip --python /opt/kioku/bin/python install --no-deps --no-index /src/playground/*.whl \
    && /opt/build/bin/python -m pip --python /opt/kioku/bin/python check

FROM base AS image
LABEL org.opencontainers.image.title="Kioku" \
    org.opencontainers.image.description="A Slack app that remembers each person it talks with" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kioku
ENV PATH=/opt/kioku/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PORT=3000
WORKDIR /opt/kioku
USER 10001:10001
# Docker's own default, but `kioku` relies on it: replies in progress get 25 seconds to end.
STOPSIGNAL SIGTERM
ENTRYPOINT ["kioku"]

FROM image AS serve
COPY --from=build /opt/kioku /opt/kioku
ENV KIOKU_HOST=0.0.0.0
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/kioku/bin/python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 3000), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
CMD ["run"]

# PostgreSQL, the playground and the stand-in model inside; it listens to its own machine only.
FROM image AS playground
COPY --from=build-playground /opt/kioku /opt/kioku
USER root
RUN install --directory --owner=kioku --group=kioku --mode=700 /data
USER 10001:10001
ENV KIOKU_DATA_DIR=/data
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/kioku/bin/python", "-I", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 3000), timeout=4); c.request('GET', '/'); sys.exit(c.getresponse().status != 200)"]
CMD ["up", "--no-browser"]

# For AWS, with the authorities of Amazon RDS that `python -m deploy.aws.package` has fetched.
FROM serve AS aws
COPY build/aws/rds.pem /opt/kioku/rds.pem

FROM serve
