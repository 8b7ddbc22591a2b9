# gmner in a container: docker build -t gmner . ; docker run --rm -v "$PWD:/data" gmner predict /data/posts.jsonl
# The first stage builds the Debian package, the second installs it and holds nothing else.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends make ca-certificates
WORKDIR /src
COPY . .
RUN make deb

FROM debian:12
COPY --from=build /src/build/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb libheif1 && rm -rf /tmp/*.deb /var/lib/apt/lists/*
ENV XDG_CACHE_HOME=/tmp
USER nobody
WORKDIR /data
ENTRYPOINT ["gmner"]
