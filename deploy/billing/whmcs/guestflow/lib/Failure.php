<?php

declare(strict_types=1);

namespace WHMCS\Module\Server\Guestflow;

/** What did not go, as one sentence for a person. It holds no secret, and nothing that HTML would take for more than text. */
final class Failure extends \RuntimeException
{
    private const LONGEST = 400;

    /** @var int HTTP status of the answer; 0 when there was none */
    public $status;
    /** @var string the field of the request that was refused; '' when it was none */
    public $field;

    public function __construct(string $sentence, int $status = 0, string $field = '')
    {
        parent::__construct(self::plain($sentence));
        $this->status = $status;
        $this->field = $field;
    }

    /** One line of text. WHMCS shows it in pages, not always escaped. */
    public static function plain(string $text): string
    {
        $utf8 = preg_match('//u', $text) === 1 ? $text : (string) preg_replace('/[^\x20-\x7e]/', '?', $text);
        $line = trim((string) preg_replace('/[\p{C}\s]+/u', ' ', strtr($utf8, ['<' => '(', '>' => ')', '&' => '+', '"' => "'"])));
        $cut = preg_match('/^.{' . self::LONGEST . '}/us', $line, $start) === 1 ? $start[0] . ' …' : $line;
        return $cut === '' ? 'guestflow gave no reason' : $cut;
    }
}
