import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { SEARCH_ATTRIBUTES } from '../../../contract/names.ts';
import { SERVER_VERSION } from '../../cluster/programs.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');

const CONDITIONS = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);

/** The part of the Compose specification that the file uses; anything else is a mistake, or belongs here first. */
const service = z.strictObject({
  image: z.string(),
  restart: z.string().regex(/^(unless-stopped|always|no|on-failure(:\d+)?)$/),
  depends_on: z.record(z.string(), z.strictObject({ condition: CONDITIONS })).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  networks: z.array(z.string()),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      retries: z.number(),
      start_period: z.string().optional(),
    })
    .optional(),
  entrypoint: z.array(z.string()).optional(),
  working_dir: z.string().optional(),
  stop_grace_period: z.string().optional(),
  read_only: z.boolean().optional(),
  tmpfs: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
});
const empty = z.strictObject({});
const schema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), empty),
  networks: z.record(z.string(), empty),
});

const compose = schema.parse(parse(text));
const services = Object.entries(compose.services);
const attributes = Object.values(SEARCH_ATTRIBUTES);

describe('docker-compose.yml', () => {
  it.each(services)('%s has an image of one exact version', (_name, { image }) => {
    expect(image).toMatch(/^[a-z/-]+:\d+\.\d+(\.\d+)?[a-z0-9.-]*$/);
  });

  it.each(services)('%s waits only for what is there, and for health only where it is checked', (_name, { depends_on: waits = {} }) => {
    for (const [other, { condition }] of Object.entries(waits)) {
      const target = compose.services[other];
      expect(target, other).toBeDefined();
      if (condition === 'service_healthy') expect(target?.healthcheck, other).toBeDefined();
      if (condition === 'service_completed_successfully') expect(target?.restart, other).toMatch(/^on-failure/);
    }
  });

  it.each(services)('%s is published on the loopback interface, if at all', (_name, { ports = [] }) => {
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  it.each(services)('%s mounts files that are there, read-only, and volumes that are declared', (_name, { volumes = [] }) => {
    for (const volume of volumes) {
      const [source = '', , mode] = volume.split(':');
      if (source.startsWith('.')) {
        expect(() => statSync(join(ROOT, source)), source).not.toThrow();
        expect(mode, source).toBe('ro');
      } else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it('has no password, nor a default for one', () => {
    const secrets = services
      .flatMap(([, { environment = {} }]) => Object.entries(environment))
      .filter(([name]) => /PASSWORD|PWD|SECRET/.test(name));
    expect(secrets.length).toBeGreaterThan(0);
    for (const [name, value] of secrets) expect(value, name).toMatch(/^\$\{[A-Z_]+:\?[^}]*\}$/);
    expect(readFileSync(join(ROOT, 'deploy/temporal/env.example'), 'utf8')).toMatch(/^POSTGRES_PASSWORD=$/m);
  });

  it('makes its tables with the tools of the server that it runs, and not with auto-setup', () => {
    const images = services.map(([, { image }]) => image);
    const versionOf = (name: string): Set<string | undefined> =>
      new Set(images.filter((image) => image.startsWith(`${name}:`)).map((image) => image.split(':')[1]));
    expect(versionOf('temporalio/server').size).toBe(1);
    expect(versionOf('temporalio/admin-tools')).toEqual(versionOf('temporalio/server'));
    expect(text).not.toMatch(/auto-setup/);
  });

  it('runs the server that npm run test:cluster builds, with tables that are built into the tool of that version', () => {
    expect(services.map(([, { image }]) => image)).toContain(`temporalio/server:${SERVER_VERSION}`);
    const script = readFileSync(join(ROOT, 'deploy/temporal/schema.sh'), 'utf8');
    expect(script).toMatch(/--schema-name "postgresql\/v12\//);
    expect(script).not.toMatch(/--schema-dir/);
  });

  it.each(attributes)('registers the search attribute %s', (name) => {
    expect(readFileSync(join(ROOT, 'deploy/temporal/namespace.sh'), 'utf8')).toMatch(new RegExp(`\\b${name}\\b`));
  });
});
