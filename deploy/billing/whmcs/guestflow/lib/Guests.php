<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/**
 * The guests of a service. One after the other: a service has lives, and a name of a guest that is gone is not given again. The name follows from
 * the number of the service and of the life, so it is the same whoever asks, and eight clicks are one guest.
 */
final class Guests
{
    private const PROPERTY = 'guestflow life';
    /** Terminated and made anew more often than this, a service needs a person. */
    private const MOST_LIVES = 1000;

    /** @var Client */
    private $client;
    /** @var string of all its guests, without the life */
    private $stem;
    /** @var ?object */
    private $properties;

    public function __construct(Client $client, Params $params)
    {
        $service = $params->id('serviceid');
        if ($service === 0) {
            throw new Failure('WHMCS sent no serviceid');
        }
        $addon = $params->id('addonId');
        $this->client = $client;
        $this->stem = self::shopOf($params) . '-' . $service . ($addon === 0 ? '' : 'a' . $addon);
        $properties = $params->model()->serviceProperties ?? null;
        $this->properties = is_object($properties) ? $properties : null;
    }

    /** The word before the number in the names of guests: the server's user name. It tells two WHMCS apart that have one guestflow. */
    public static function shopOf(Params $params): string
    {
        $shop = $params->text('serverusername', 64);
        if ($shop === '') {
            return 'whmcs';
        }
        if (preg_match('/^[a-z][a-z0-9]{0,15}$/D', $shop) !== 1) {
            throw new Failure('the user name of the server must be empty or 1-16 letters a-z and digits: it begins the names of guests');
        }
        return $shop;
    }

    public function nameOf(int $life): string
    {
        return $this->stem . ($life === 1 ? '' : '-' . $life);
    }

    /**
     * The life that counts, and its guest. The property is where the search begins; guestflow knows what there is.
     *
     * @return array{int, ?array<mixed>} no guest: that life has not begun
     */
    public function current(): array
    {
        $life = $this->storedLife();
        $guest = $this->find($life);
        while ($guest !== null && ($guest['phase'] ?? '') === 'gone' && $life < self::MOST_LIVES) {
            $next = $this->find($life + 1);
            if ($next === null) {
                break;
            }
            [$life, $guest] = [$life + 1, $next];
        }
        return [$life, $guest];
    }

    /** Keeps which life it is, and other properties of the service. A WHMCS that cannot keep them loses nothing but time. */
    public function keep(int $life, array $properties): void
    {
        if ($life > 1) {
            $properties[self::PROPERTY] = (string) $life;
        }
        if ($properties !== [] && $this->properties !== null && method_exists($this->properties, 'save')) {
            $this->properties->save($properties);
        }
    }

    /** @return ?array<mixed> null: there is none of this life */
    private function find(int $life): ?array
    {
        try {
            return $this->client->get('/v1/guests/' . $this->nameOf($life));
        } catch (Failure $failure) {
            if ($failure->status === 404) {
                return null;
            }
            throw $failure;
        }
    }

    private function storedLife(): int
    {
        if ($this->properties === null || !method_exists($this->properties, 'get')) {
            return 1;
        }
        $kept = $this->properties->get(self::PROPERTY);
        return is_scalar($kept) && preg_match('/^[1-9][0-9]{0,2}$/D', (string) $kept) === 1 ? (int) $kept : 1;
    }
}
