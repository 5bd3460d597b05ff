export GOTOOLCHAIN = auto

.PHONY: run test check build bench hostile soak endure fuzz schema

# The demo: a site that explains itself, on http://127.0.0.1:8080.
run:
	@sh scripts/demo.sh

# Everything, race detector on. Installs what is missing where it can.
test:
	@sh scripts/install-test-tools.sh
	@sh scripts/test.sh

# What a change must pass besides the tests.
check:
	@sh scripts/check.sh

build:
	@mkdir -p bin
	go build -trimpath -ldflags "-s -w" -o bin/mountd ./cmd/mountd

# Side by side with nginx, HAProxy, Caddy and Traefik: sixteen minutes, in which
# nothing else should run. BENCH="-only proxy-13B" runs some, BENCH="-list" tells
# which there are, BENCH="-peers DIR -update RESULTS.md" writes the tables down.
bench: build
	cd bench && go run . -mountd ../bin/mountd $(BENCH)

# What slow, idle and wild clients do to normal load: four minutes.
hostile: build
	cd bench && go run . -mountd ../bin/mountd -only "hostile|idle" $(BENCH)

# Half an hour of faults and reloads under load; SECONDS=120 makes it shorter.
soak: build
	@sh scripts/soak.sh $(SECONDS)

# Ten million requests, after which nothing may have grown: five minutes.
# REQUESTS=200000 ROUND=2 is a quick look.
endure: build
	@ROUND=$(ROUND) sh scripts/endure.sh $(REQUESTS)

# Each fuzzer for a minute, or less, so that all are through in three quarters of
# an hour.
fuzz:
	@MOST=2700 sh scripts/fuzz.sh 60s

# What is generated from the option types.
schema: build
	bin/mountd schema > docs/mountd.schema.json
	bin/mountd schema --markdown > docs/mountfile.md
