SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo assets build test test-short fuzz bench lint fmt check servers servers-stop

# Where the servers of `make servers` keep their state.
servers := $(or $(TOCSIN_SERVERS_STATE),/var/tmp/tocsin-servers-$(shell id -u))

help: ## Print this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Sample detections through the whole program, with a page that shows the messages.
	go run ./cmd/tocsin demo

assets: ## Bundle the pages' script and style, after a change in internal/web/assets/src. Needs npm.
	@scripts/assets/build.sh

build: ## Build the program, ./tocsin.
	CGO_ENABLED=0 go build -trimpath -o tocsin ./cmd/tocsin

test: ## Every test, on real servers it installs and starts; says at the end what it used.
	@scripts/test.sh

test-short: ## The tests that need nothing but Go.
	go test -short ./...

fuzz: ## Every fuzz test, FUZZTIME each (2m), FUZZ=pattern for some of them.
	@scripts/fuzz.sh

bench: ## The benchmarks of the packages; bench/README.md has those against others.
	go test -run '^$$' -bench . -benchmem ./...

lint: ## golangci-lint, built from tools/go.mod.
	go tool -modfile=tools/go.mod golangci-lint run ./...

fmt: ## Format the code.
	go tool -modfile=tools/go.mod golangci-lint fmt ./...

check: lint test ## Everything a change must pass, and that go.mod is tidy.
	go mod verify
	go mod tidy -diff

servers: ## Start real servers and print the variables the tests find them by: eval "$(make -s servers)"
	@scripts/prerequisites.sh || true
	@scripts/servers/start.sh $(servers) $(SERVERS)

servers-stop: ## Stop what `make servers` started.
	@scripts/servers/stop.sh $(servers)
