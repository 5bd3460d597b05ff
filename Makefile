export GOTOOLCHAIN = auto

.PHONY: run test check build bench soak fuzz schema

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

# Side by side with nginx, HAProxy, Caddy and Traefik; nothing else should run.
# BENCH="-only proxy-13B" runs some.
bench: build
	cd bench && go run . -mountd ../bin/mountd $(BENCH)

# Half an hour of faults and reloads under load; SECONDS=120 makes it shorter.
soak: build
	@sh scripts/soak.sh $(SECONDS)

# Each fuzzer for a minute.
fuzz:
	@sh scripts/fuzz.sh 60s

# What is generated from the option types.
schema: build
	bin/mountd schema > docs/mountd.schema.json
	bin/mountd schema --markdown > docs/mountfile.md
