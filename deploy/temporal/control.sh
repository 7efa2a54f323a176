#!/bin/sh
# Runs the control worker from a copy of the checkout, with npm packages of its own. A new lockfile gets new packages.
set -eu

# Sources that are gone must go: everything but the packages is copied anew.
find /guestflow -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +
tar --create --directory /checkout --exclude ./node_modules --exclude ./.git --exclude ./.guestflow --exclude ./dist --exclude ./.env . |
  tar --extract --directory /guestflow --no-same-owner

export HOME=/tmp
exec node scripts/bootstrap.mjs worker control
