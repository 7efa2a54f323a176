<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** What WHMCS passes to each function, read strictly: customers fill in a part of it. */
final class Params
{
    /** @var array<mixed> */
    private $params;

    /** @param array<mixed> $params */
    public function __construct(array $params)
    {
        $this->params = $params;
    }

    /**
     * Text, without blanks around it; '' if it is missing.
     *
     * @param int $longest in bytes
     * @throws Failure if it is no text in UTF-8, has control characters other than line ends, or is longer
     */
    public function text(string $key, int $longest): string
    {
        return self::check($this->params[$key] ?? '', $key, $longest);
    }

    /** A value that the customer chose: a configurable option of this name, else a custom field, without regard to case; '' if there is none. */
    public function chosen(string $name, int $longest): string
    {
        foreach (['configoptions', 'customfields'] as $group) {
            $values = $this->params[$group] ?? [];
            foreach (is_array($values) ? $values : [] as $key => $value) {
                if (strcasecmp(trim((string) $key), $name) === 0 && $value !== '' && $value !== null) {
                    return self::check($value, $name, $longest);
                }
            }
        }
        return '';
    }

    /** A setting of the product, by its number in ConfigOptions. */
    public function setting(int $number, int $longest): string
    {
        return $this->text('configoption' . $number, $longest);
    }

    public function isOn(int $number): bool
    {
        return $this->isTrue('configoption' . $number);
    }

    /** A switch that WHMCS sends as a truth value, or as text. */
    public function isTrue(string $key): bool
    {
        $value = $this->params[$key] ?? false;
        return $value === true || in_array($value, ['on', 'yes', '1', 1], true);
    }

    /** A whole number from 1 on; 0 if it is missing. */
    public function id(string $key): int
    {
        $text = $this->text($key, 18);
        if ($text === '' || $text === '0') {
            return 0;
        }
        if (preg_match('/^[1-9][0-9]*$/D', $text) !== 1) {
            throw new Failure("WHMCS sent a $key that is no number");
        }
        return (int) $text;
    }

    /**
     * The service's password, as it is: blanks count.
     *
     * @throws Failure which never quotes it
     */
    public function password(): string
    {
        $password = $this->params['password'] ?? '';
        if (!is_string($password) || $password === '') {
            throw new Failure('the service has no password: generate one, or switch the root password off in the module settings');
        }
        Log::hide($password);
        if (strlen($password) > 256 || preg_match('/[\x00-\x1f\x7f]/', $password) === 1) {
            throw new Failure('the password is longer than 256 bytes, or has control characters');
        }
        return $password;
    }

    /** The service of WHMCS, or its addon: what keeps properties. Null where WHMCS sends none. */
    public function model(): ?object
    {
        $model = $this->params['model'] ?? null;
        return is_object($model) ? $model : null;
    }

    /** @param mixed $value */
    private static function check($value, string $what, int $longest): string
    {
        if (is_bool($value) || (!is_scalar($value) && $value !== null)) {
            throw new Failure("$what is no text");
        }
        $text = trim((string) $value);
        if (strlen($text) > $longest) {
            throw new Failure("$what has " . strlen($text) . " bytes, more than $longest");
        }
        if (preg_match('//u', $text) !== 1 || preg_match('/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/', $text) === 1) {
            throw new Failure("$what has characters that no text has");
        }
        return $text;
    }
}
