#!/bin/sh
exec /usr/lib/guestflow/node /usr/lib/guestflow/prepare.cjs "$@"
