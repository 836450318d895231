# elenchus serve, as a user without rights:
#   docker build -t elenchus .
#   docker run --rm -p 127.0.0.1:8080:8080 -v ~/Videos:/videos:ro -v elenchus:/data elenchus
# The volume `elenchus` keeps the journal, the memo and the token. Weights of other models go into a folder that ELENCHUS_MODELS names.
FROM rust:1-slim-trixie AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg tini && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 elenchus && mkdir -p /data /videos && chown elenchus:elenchus /data
COPY --from=build /src/target/release/elenchus /usr/local/bin/elenchus
USER elenchus
WORKDIR /home/elenchus
ENV ELENCHUS_DATA=/data/data ELENCHUS_CACHE=/data/cache NO_COLOR=1
VOLUME /data
EXPOSE 8080
# the first process gets the signals, and passes them on
ENTRYPOINT ["tini", "--", "elenchus"]
# inside of a container, its own network decides who can connect
CMD ["serve", "/videos", "--host", "0.0.0.0"]
