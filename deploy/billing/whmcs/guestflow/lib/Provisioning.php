<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** What WHMCS asks for a service. Each ends as soon as guestflow has taken it; the work goes on there. */
final class Provisioning
{
    /** @var Client */
    private $client;
    /** @var Params */
    private $params;
    /** @var Guests */
    private $guests;

    public function __construct(Client $client, Params $params)
    {
        $this->client = $client;
        $this->params = $params;
        $this->guests = new Guests($client, $params);
    }

    /**
     * A guest for the service. Once it has one, that one is the answer, however often it is asked for; within the grace period of a termination
     * that guest comes back; after it, the service begins another life.
     */
    public function create(): void
    {
        [$life, $guest] = $this->guests->current();
        $phase = $guest === null ? 'none' : self::phaseOf($guest);
        if ($phase === 'gone') {
            $life++;
        }
        if (in_array($phase, ['none', 'gone', 'failed'], true)) {
            $this->client->post('/v1/guests', Order::of($this->params, $this->guests->nameOf($life)), self::newKey());
        } elseif ($phase === 'terminating' || $phase === 'suspended') {
            $this->bringBack($life, $phase);
        } elseif ($phase === 'needs-cleanup') {
            $name = $this->guests->nameOf($life);
            throw new Failure("what is left of $name must be removed first: guestflow cleanup $name");
        }
        $this->guests->keep($life, ['Username' => 'root']);
    }

    /** An operation without words, by the last part of its route. */
    public function operate(string $path, ?string $key = null): void
    {
        [$life] = $this->living();
        $this->ask($life, $path, [], $key ?? self::newKey());
    }

    public function terminate(): void
    {
        [$life, $guest] = $this->guests->current();
        // What is not there, or was never made, needs no end.
        if ($guest === null || in_array(self::phaseOf($guest), ['gone', 'failed', 'terminating'], true)) {
            return;
        }
        $this->ask($life, 'terminate', [], self::newKey());
    }

    public function changePlan(): void
    {
        [$life, $guest] = $this->living();
        $plan = Order::planOf($this->params);
        // WHMCS also asks when something else of the product has changed.
        if (($guest['plan'] ?? '') !== $plan) {
            $this->ask($life, 'change-plan', ['plan' => $plan, 'restart' => $this->params->isOn(3)], self::newKey());
        }
    }

    /** Root's password becomes that of the service. Of a guest that runs and is sealed it is set on its disk, for which it is restarted. */
    public function changePassword(): void
    {
        if (!$this->params->isOn(4)) {
            throw new Failure('root has no password in guests of this product: its module settings say so');
        }
        $body = ['passwordHash' => Order::hash($this->params->password())];
        [$life] = $this->living();
        try {
            $this->ask($life, 'password', $body, self::newKey());
        } catch (Failure $failure) {
            if ($failure->field !== 'how') {
                throw $failure;
            }
            if (!$this->params->isOn(5)) {
                throw new Failure('a new password needs a restart, which this product does not allow: shut the server down first');
            }
            $this->ask($life, 'password', $body + ['how' => 'offline'], self::newKey());
        }
    }

    /** A link that signs the customer in, once, for two minutes. */
    public function signInLink(): string
    {
        [$life] = $this->living();
        $link = $this->client->post('/v1/guests/' . $this->guests->nameOf($life) . '/sign-in', [], self::newKey());
        $url = $link['url'] ?? null;
        if (!is_string($url) || preg_match('#^https?://#', $url) !== 1) {
            throw new Failure('guestflow gave no link to the customer\'s page');
        }
        return $url;
    }

    /** @throws Failure if a renewal was paid for a guest that is not there */
    public function mustBeThere(): void
    {
        $this->living();
    }

    /**
     * @return array{int, array<mixed>} the life, and its guest
     * @throws Failure
     */
    private function living(): array
    {
        [$life, $guest] = $this->guests->current();
        $name = $this->guests->nameOf($life);
        if ($guest === null) {
            throw new Failure("guestflow has no guest $name: create the service first");
        }
        $phase = self::phaseOf($guest);
        if (in_array($phase, ['gone', 'failed', 'terminating', 'needs-cleanup'], true)) {
            throw new Failure("the guest $name is $phase" . (is_string($guest['error']['message'] ?? null) ? ': ' . $guest['error']['message'] : ''));
        }
        return [$life, $guest];
    }

    /** From a termination, and from the suspension before it. What is taken back goes on while the rest waits behind it. */
    private function bringBack(int $life, string $phase): void
    {
        $last = $phase === 'terminating' ? $this->ask($life, 'undelete', [], self::newKey()) : [];
        // A guest that was stopped before its termination is left so.
        if (($last['phase'] ?? '') !== 'stopped') {
            $this->ask($life, 'resume', [], self::newKey());
        }
    }

    /**
     * @param array<string, mixed> $body
     * @return array<mixed> the operation; it goes on, or is done
     * @throws Failure also if it has failed at once
     */
    private function ask(int $life, string $path, array $body, string $key): array
    {
        $operation = $this->client->post('/v1/guests/' . $this->guests->nameOf($life) . '/' . $path, $body, $key);
        if (($operation['state'] ?? '') === 'failed') {
            $message = $operation['error']['message'] ?? '';
            throw new Failure("guestflow could not $path: " . (is_string($message) ? $message : ''));
        }
        return $operation;
    }

    /** Each call is a request of its own: suspend, resume and suspend are three. Within a call it is sent again with the same key. */
    private static function newKey(): string
    {
        return 'whmcs-' . bin2hex(random_bytes(16));
    }

    /** @param array<mixed> $guest */
    private static function phaseOf(array $guest): string
    {
        return is_string($guest['phase'] ?? null) ? $guest['phase'] : '';
    }
}
