# docker build -t lectern .
# docker run --read-only --stop-timeout 30 -p 8000:8000 -v lectern:/data --env-file lectern.env lectern
# (lectern.env: LECTERN_KALTURA_URL=… and so on; a stop waits for the calls in flight, longer than Docker's ten seconds:
# for LECTERN_STOP_SECONDS, 25, so that 30 are enough)

FROM python:3.11-slim@sha256:db3ff2e1800a8581e2c48a27c3995339d47bdf046da21c7627accd3d51053a93 AS build
WORKDIR /src

# Fetched is all that the lock names, each file held to its hash, and installed from that folder, without an index:
# nothing without a hash has a way in.
COPY requirements.lock ./
RUN pip download --no-cache-dir --require-hashes --no-deps --only-binary :all: --dest /wheels -r requirements.lock

COPY pyproject.toml README.md ./
COPY app app
COPY migrations migrations
RUN python -m venv --without-pip /opt/lectern \
    && pip --python /opt/lectern/bin/python install --no-cache-dir --no-index --find-links /wheels .


FROM python:3.11-slim@sha256:db3ff2e1800a8581e2c48a27c3995339d47bdf046da21c7627accd3d51053a93
COPY --from=build /opt/lectern /opt/lectern

# /data is the one place that is written to: lectern.db or, without a Kaltura, lectern-sandbox.db and sandbox.db.
RUN install -d -o 10001 -g 10001 /data
WORKDIR /data
VOLUME /data
USER 10001:10001

ENV PATH=/opt/lectern/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LECTERN_HOST=0.0.0.0 \
    LECTERN_PORT=8000
EXPOSE 8000

# http.client and not urllib: it asks no proxy from the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import http.client, os, sys; \
    service = http.client.HTTPConnection('127.0.0.1', int(os.environ['LECTERN_PORT']), timeout=4); \
    service.request('GET', '/healthz'); \
    sys.exit(service.getresponse().status != 200)"]

CMD ["lectern", "serve"]
