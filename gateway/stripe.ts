/** `POST /webhooks/stripe`: Stripe's own signature, and what its events mean. */
import { createRequire } from 'node:module';
import type Stripe from 'stripe';
import type { BillingEvent } from '../contract/billing-types.ts';
import type { Catalogue } from './catalogue.ts';
import { check } from './check.ts';
import { TOLERANCE_SECONDS, toBillingEvent } from './event.ts';
import { canonical, parseJson } from './json.ts';
import { Refusal } from './problem.ts';
import { stripeEventSchema, type StripeEvent } from './stripe-schema.ts';
import { meaningOf, type StripePolicy } from './stripe-meaning.ts';
