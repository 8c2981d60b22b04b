# What the project's people run. Everything works on a clean clone of a box where Go, Java and apt-get work.
export GOTOOLCHAIN := local

# The version that the binary shows; a build outside git says "dev".
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
STATICCHECK := go tool -modfile=tools/go.mod staticcheck
# Packages run two at a time: real brokers and servers share the cores with the tests.
TEST_FLAGS ?= -timeout 20m -p 2

# Faults: for how long over all rounds, from which seed on; more flags as `go run ./internal/chaos/cmd --help` lists them.
CHAOS_TIME ?= 5m
CHAOS_SEED ?= 1
CHAOS_FLAGS ?=
# The soak: for how long; more flags as `go run ./internal/soak/cmd --help` lists them.
SOAK_TIME ?= 1h
SOAK_FLAGS ?=

.PHONY: help build test test-fast lint parts bench chaos soak clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build ./monitor
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o monitor ./cmd/monitor

test: parts lint ## Everything, with the race detector and real Kafka and Redis
	SENDWATCH_REQUIRE_PARTS=1 go test -race $(TEST_FLAGS) ./...

test-fast: ## The quick loop: no real parts needed, long tests left out
	go test -short ./...

lint: ## go vet and staticcheck
	go vet ./...
	$(STATICCHECK) ./...

parts: ## Install what the tests run against: Kafka's jars, a JRE, Redis
	@scripts/parts.sh

bench: parts ## The whole pipeline on real parts, beside reading the topic and doing nothing
	scripts/bench.sh

chaos: parts ## Break everything by a seeded plan and compare with the truth (CHAOS_TIME=5m CHAOS_SEED=1 CHAOS_FLAGS=)
	go run ./internal/chaos/cmd -time $(CHAOS_TIME) -seed $(CHAOS_SEED) $(CHAOS_FLAGS)

soak: parts ## A steady stream for an hour, with what could grow noted and drawn (SOAK_TIME=1h SOAK_FLAGS=)
	go run ./internal/soak/cmd -time $(SOAK_TIME) -csv soak.csv -svg docs/soak.svg $(SOAK_FLAGS)

clean: ## Remove what was built; the parts stay in .cache
	rm -f monitor
