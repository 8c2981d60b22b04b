# Build:  docker build -t sendwatch .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=""
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /monitor ./cmd/monitor

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /monitor /monitor
EXPOSE 8225
HEALTHCHECK --interval=10s --timeout=5s CMD ["/monitor", "healthcheck"]
ENTRYPOINT ["/monitor"]
CMD ["run"]
