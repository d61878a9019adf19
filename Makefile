# The two commands: make run, make test. `make help` lists the others.

# What run and build make. Release is what serves; a debug build takes about a third of the work to build.
CONFIGURATION ?= release
BELFRY = .build/$(CONFIGURATION)/belfry
SWIFT_FILES = $(wildcard Sources Connectors Tests Benchmarks) Package.swift
# Whether there is a terminal must not change the compiler's flags, or everything is built again.
SWIFT_BUILD = swift build --no-color-diagnostics
# All tests are Swift Testing's; XCTest's own runner only adds lines, and leaks that the address sanitizer reports.
SWIFT_TEST = swift test --disable-xctest
# FILTER=TableTests runs only what matches; empty runs everything.
FILTERED = $(if $(FILTER),--filter '$(FILTER)')

.PHONY: help setup run build test bench lint format sanitize simulate chaos fuzz teeth clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup: ## install the Debian packages that are missing, check Swift's version
	@Scripts/setup.sh

run: build ## build, then a demonstration in this terminal: belfry demo (ARGS='--http 127.0.0.1:8788')
	@$(BELFRY) demo $(ARGS)

build: setup ## the program, as .build/release/belfry (CONFIGURATION=debug: as .build/debug/belfry)
	@$(SWIFT_BUILD) -c $(CONFIGURATION) --product belfry

test: ## all tests (FILTER=regex: some); those on a real Kafka only where KAFKA_HOME names one
	@Scripts/setup.sh --tests
	@$(SWIFT_BUILD) --build-tests
ifdef FILTER
	@$(SWIFT_TEST) --skip-build $(FILTERED)
else # one after the other: the second start the program and a broker, and wait for both
	@$(SWIFT_TEST) --skip-build --skip IntegrationTests
	@$(SWIFT_TEST) --skip-build --filter IntegrationTests
endif

bench: setup ## the figures of docs/benchmarks.md, on a broker of KAFKA_HOME's (ARGS='ingest': only these)
	@Benchmarks/run.sh $(ARGS)

lint: ## swift format, strict
	@swift format lint --strict --parallel --recursive $(SWIFT_FILES)

format: ## rewrite the sources as lint wants them
	@swift format format --in-place --parallel --recursive $(SWIFT_FILES)

SANITIZED = BELFRY_SIMULATION_SEEDS='$(or $(SEEDS),20)' $(SWIFT_TEST) --skip IntegrationTests $(FILTERED) --sanitize

sanitize: setup ## the tests that need no Kafka under the thread and the address sanitizer (FILTER=regex, SEEDS=n)
	@$(SWIFT_BUILD) --build-tests --sanitize=thread --scratch-path .build-thread
	@clang -O1 -shared -fPIC -o .build-thread/sanitized.so Scripts/sanitized.c -ldl
	@export LD_PRELOAD=$(CURDIR)/.build-thread/sanitized.so; $(SANITIZED)=thread --scratch-path .build-thread --skip-build
	@$(SANITIZED)=address --scratch-path .build-address

simulate: setup ## the simulation with SEEDS=n seeds, from FIRST=n on; a seed that failed fails again
	@: $${SEEDS:?how many: make simulate SEEDS=1000}
	@BELFRY_SIMULATION_SEEDS='$(SEEDS)' BELFRY_SIMULATION_FIRST='$(or $(FIRST),1)' \
	  $(SWIFT_TEST) --filter SimulationTests

chaos: setup ## kills, zombies, brokers away, a full disk: a real Kafka and about ten minutes (KAFKA_HOME)
	@: $${KAFKA_HOME:?an unpacked Kafka}
	@BELFRY_CHAOS=1 $(SWIFT_TEST) --filter IntegrationTests.*ChaosTests

# The suites that try BELFRY_FUZZ_CASES cases each.
FUZZERS = EventsTests.DecoderAgreementTests FuzzTests $(addprefix MatchingTests., EngineDifferentialTests \
  ExpressionDifferentialTests CanonicalFormTests FilterIndexTests CountedRangesTests SieveTests TextFindingTests)

fuzz: setup ## the fuzzers in a release build with CASES=n cases each, from SEED=n; FILTER=regex: some of them
	@: $${CASES:?how many: make fuzz CASES=10000000}
	@BELFRY_FUZZ_CASES='$(CASES)' BELFRY_FUZZ_SEED='$(or $(SEED),1)' $(SWIFT_TEST) -c release \
	  --scratch-path .build-fuzz -Xswiftc -enable-testing \
	  $(foreach fuzzer,$(or $(FILTER),$(FUZZERS)),--filter '$(fuzzer)')

teeth: setup ## takes protections away, one at a time, in a copy: tests must turn red for each (ARGS=words of its name)
	@Scripts/teeth.py $(ARGS)

clean: ## remove what was built
	@rm -rf .build .build-thread .build-address .build-fuzz .build-teeth
